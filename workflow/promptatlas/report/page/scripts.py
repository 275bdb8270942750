"""Which scripts a page with a matrix has, in the order in which they run: what every such page shares, and what is the study's or a given
matrix's own."""

DATA = (
    "inflate.js",
    "data.js",
    "numbers.js",
    "elements.js",
)
CHOICES = (
    "other_study.js",
    "difference.js",
    "state.js",
    "draw.js",
    "shown.js",
)
MATRIX = (
    "colours.js",
    "lines.js",
    "grid.js",
    "grid_size.js",
    "grid_keys.js",
    "tip.js",
    "plots.js",
)
CELL = (
    "cell_columns.js",
    "later.js",
    "panel.js",
    "cell_classes.js",
    "cell_images.js",
    "cell_confusions.js",
    "cell_origin.js",
)
SECTIONS = (
    "held_out.js",
    "sections.js",
    "budget.js",
    "cautions.js",
    "pair_columns.js",
    "pairs.js",
    "clear.js",
    "similarity.js",
    "explained.js",
)
CONTROLS = (
    "controls.js",
    "matrix_choices.js",
)
# Graph, table of all pairs, scatter and differences: the ways to look at a matrix beside its heatmap.
WAYS = (
    "tabs.js",
    "lit.js",
    "graph_places.js",
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
# What draws last, when all parts of the page are registered.
END = (
    "save_text.js",
    "save_figure.js",
    "save_matrix.js",
    "save.js",
    "regions.js",
    "print.js",
    "main.js",
)

OF_STUDY = (
    "protocols.js",
    *DATA,
    "scores.js",
    *CHOICES,
    *MATRIX,
    *CELL,
    *SECTIONS,
    "published.js",
    "check.js",
    "methods.js",
    "choice.js",
    "choosing.js",
    "verdict.js",
    "study.js",
    *CONTROLS,
    "pair_numbers.js",
    *WAYS,
    *END,
)
OF_GIVEN_MATRIX = (
    "given_words.js",
    *DATA,
    *CHOICES,
    *MATRIX,
    *SECTIONS,
    "choosing.js",
    "verdict.js",
    "given.js",
    *CONTROLS,
    "given_pair_numbers.js",
    *WAYS,
    *END,
)
