"""How Snakemake's report lists the figures of a study: under which heading and by what words. Knows nothing of how they are drawn."""

from promptatlas.analysis.statistics.views import VIEWS
from promptatlas.analysis.words import method_title
from promptatlas.study.protocols import PROTOCOLS

MATRICES, PUBLISHED, OTHERS = "Transfer matrices", "Measured beside published", "Effects and comparisons"
HEATMAP, BESIDE, SIMILARITY, JOINT = "heatmap-", "published-", "similarity-", "joint-"  # how names of files begin
TITLES = {
    "variance": "How much source, target and pair matter",
    "correlations": "How far each measure predicts transfer",
    "methods": "The methods compared",
}


def heading(figure: str) -> str:
    """The category that a figure is listed under. figure: the name of its file, without the ending."""
    return MATRICES if figure.startswith(HEATMAP) else PUBLISHED if figure.startswith(BESIDE) else OTHERS


def labels(figure: str) -> dict[str, str]:
    """What tells a figure from the others of its category, by the names of the columns of their list."""
    if figure.startswith(HEATMAP):
        protocol, method, view = _heatmap(figure.removeprefix(HEATMAP))
        return {"protocol": protocol, "method": method_title(method), "scale": VIEWS[view].title}
    if figure.startswith(BESIDE):
        return {"method": method_title(figure.removeprefix(BESIDE))}
    if figure.startswith(SIMILARITY):
        return {"figure": f"Similarity and transfer, {figure.removeprefix(SIMILARITY)}"}
    if figure.startswith(JOINT):
        return {"figure": f"{method_title(figure.removeprefix(JOINT))}: ways to have a prompt"}
    return {"figure": TITLES[figure]}


def _heatmap(name: str) -> tuple[str, str, str]:
    """Protocol, method and view of `<protocol>-<method>-<view>`; a method may have a hyphen of its own."""
    protocol = next(one for one in PROTOCOLS if name.startswith(f"{one}-"))
    view = next(one for one in VIEWS if name.endswith(f"-{one}"))
    return protocol, name.removeprefix(f"{protocol}-").removesuffix(f"-{view}"), view
