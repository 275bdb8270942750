"""The scripts of the ways to look at a matrix beside its heatmap; every page that shows one has them."""

SCRIPTS = (
    "tabs.js",
    "lit.js",
    "graph.js",
    "graph_panel.js",
    "window_table.js",
    "all_pairs.js",
    "pairs_panel.js",
    "freed.js",
    "scatter.js",
    "scatter_panel.js",
    "difference_panel.js",
)
