"""How figures look: type, sizes, numbers in words, and saving. Knows nothing of any one figure.

Each is drawn for one and for two columns of a paper, at the size at which it is printed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from promptatlas.base.files import whole
from promptatlas.report.figures.lettering import FONT, broken

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.2  # inches
WIDTHS = (TWO_COLUMNS, ONE_COLUMN)
COLUMN = "column"  # the folder of figures for one column
SMALL, TITLE = 7.0, 8.5  # points: all text but numbers in cells, titles
MARGIN = 0.06  # inches, around all that is drawn
DOTS = 300  # per inch
KINDS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None}, "dpi": DOTS},  # of images inside of it
    "png": {"metadata": {"Software": None}, "dpi": DOTS, "pil_kwargs": {"compress_level": 3}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}, "dpi": DOTS},
}
STYLE: dict[Any, Any] = {
    "backend": "agg",
    "font.family": ["sans-serif"],
    "font.sans-serif": [FONT],  # comes with matplotlib, so figures are the same everywhere
    "font.size": SMALL,
    "axes.titlesize": SMALL,
    "axes.labelsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "text.color": "#222222",
    "axes.labelcolor": "#222222",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.w_pad": MARGIN,
    "figure.constrained_layout.h_pad": MARGIN,
    "text.parse_math": False,  # a dollar in a name is one
    "svg.hashsalt": "promptatlas",
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,
}


def number(value: float, digits: int, signed: bool = False) -> str:
    """A number with a true minus sign; a rounded zero has no sign."""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return (text if float(text) else f"{0:.{digits}f}").replace("-", "\u2212")


def framed(figure: Figure, title: str, notes: Sequence[str] = ()) -> None:
    """Give a figure of constrained layout its title, and below it what its marks mean."""
    size = figure.get_figwidth()
    room = size - 2 * MARGIN
    at: dict[str, Any] = {"x": MARGIN / size, "ha": "left"}
    figure.suptitle(broken(title, room, TITLE, 3), fontsize=TITLE, color="black", **at)
    if notes:
        figure.supxlabel(broken(" ".join(notes), room, SMALL, 6), fontsize=SMALL, color="#444444", **at)


def save_both(draw: Callable[[float], Figure | None], folder: Path, name: str, widths: Sequence[float] = WIDTHS) -> list[Path]:
    """Write what `draw` gives for two columns into `folder` and for one into its folder `column`; None is left out. The paths."""
    written: list[Path] = []
    for inches in widths:
        where = folder / COLUMN if inches == ONE_COLUMN else folder
        if figure := draw(inches):
            where.mkdir(parents=True, exist_ok=True)
            written += save(figure, where / name)
    return written


def save(figure: Figure, path: Path) -> list[Path]:
    """Write `figure` as path.svg, path.png and path.pdf in its own size, the same bytes each time; the paths."""
    paths = []
    try:
        if figure.get_layout_engine() is not None:
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # laid out once for all kinds
        for kind, options in KINDS.items():
            paths.append(Path(f"{path}.{kind}"))
            with whole(paths[-1]) as drawn:
                figure.savefig(drawn, format=kind, **options)
    finally:
        plt.close(figure)
    return paths
