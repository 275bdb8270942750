"""How figures look: type, colours, names in words, and saving twice. Knows nothing of any one figure."""

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from promptatlas.base.files import whole

STYLE: dict[Any, Any] = {
    "backend": "agg",
    "font.family": "sans-serif",
    "font.sans-serif": ["Liberation Sans", "Arial", "Helvetica", "DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "text.color": "#222222",
    "axes.labelcolor": "#222222",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a dollar in a name is one
    "svg.hashsalt": "promptatlas",
    "svg.fonttype": "path",
}
# From Okabe and Ito's colour-blind-safe set.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def number(value: float, digits: int, signed: bool = False) -> str:
    """A number with a true minus sign; a rounded zero has no sign."""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return (text if float(text) else f"{0:.{digits}f}").replace("-", "\u2212")


def save(figure: Figure, path: Path) -> list[Path]:
    """Write `figure` as path.svg and path.png, cut to what is drawn, the same bytes each time; the two paths."""
    paths = [Path(f"{path}.svg"), Path(f"{path}.png")]
    figure.draw_without_rendering()
    box = figure.get_tightbbox().padded(0.15)
    try:
        with whole(paths[0]) as drawn:
            figure.savefig(drawn, format="svg", bbox_inches=box, metadata={"Date": None})
        with whole(paths[1]) as dots:
            figure.savefig(dots, format="png", bbox_inches=box, dpi=150, metadata={"Software": None})
    finally:
        plt.close(figure)
    return paths
