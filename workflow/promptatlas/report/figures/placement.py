"""A figure whose parts are placed in inches from the top: title, body, what columns are, colour bar, what marks mean.

How high each is follows from its text, so nothing has to be drawn to be measured. Knows nothing of what the body is.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from promptatlas.report.figures.lettering import broken, height, width
from promptatlas.report.figures.style import MARGIN, SMALL, TITLE

BAR = 0.1  # inches, height of the colour bar
GAP = 0.05  # inches


class Placement:
    """Place for a body of any height, `inches` wide. under: the words below it; unit: those of the colour bar; notes: those at the foot."""

    def __init__(self, inches: float, title: str, under: str, unit: str, notes: Sequence[str]) -> None:
        room = inches - 2 * MARGIN
        self.inches = inches
        self.title = broken(title, room, TITLE, 3)
        self.under, self.unit = broken(under, room, SMALL), broken(unit, room, SMALL)
        self.notes = broken(" ".join(notes), room, SMALL, 6)
        self.above = MARGIN + height(self.title, TITLE) + GAP  # inches, of what stands above the body
        self.bar_at = GAP + height(self.under, SMALL) + 1.5 * GAP  # from the end of the body
        self.unit_at = self.bar_at + BAR + height("0", SMALL) + GAP
        self.notes_at = self.unit_at + height(self.unit, SMALL) + GAP
        self.below = self.notes_at + height(self.notes, SMALL) + MARGIN

    def begin(self, body: float, middle: float) -> Figure:
        """A figure with room for a body of so many inches, and all words; middle: where those under the body have theirs."""
        self.body, self.total = body, self.above + body + self.below
        self.figure = plt.figure(figsize=(self.inches, self.total))
        self.write(MARGIN, MARGIN - self.above, self.title, fontsize=TITLE, color="black")
        half = max(width(line, SMALL) for line in self.under.split("\n")) / 2
        middle = min(max(middle, MARGIN + half), self.inches - MARGIN - half)
        self.write(middle, body + GAP, self.under, ha="center")
        self.write(self.inches - MARGIN, body + self.unit_at, self.unit, ha="right")
        self.write(MARGIN, body + self.notes_at, self.notes, color="#444444")
        return self.figure

    def write(self, left: float, top: float, text: str, **how: Any) -> None:
        """Text at so many inches from the left, and from the top of the body."""
        self.figure.text(
            left / self.inches, 1 - (self.above + top) / self.total, text, **{"fontsize": SMALL, "va": "top", "ha": "left", **how}
        )

    def axes(self, left: float, top: float, wide: float, tall: float) -> Axes:
        """Axes of so many inches, placed likewise."""
        low = self.total - self.above - top - tall
        return self.figure.add_axes((left / self.inches, low / self.total, wide / self.inches, tall / self.total))

    def colour_bar(self, left: float, wide: float, colours: Colormap, norm: Normalize, ends: str) -> None:
        """The colour bar; ends: which of its ends stand for all beyond ("neither", "min", "max", "both")."""
        axes = self.axes(left, self.body + self.bar_at, wide - 2 * GAP, BAR)  # the last number is wider than its place
        bar = self.figure.colorbar(ScalarMappable(norm, colours), cax=axes, orientation="horizontal", extend=ends)
        bar.outline.set_visible(False)
        axes.tick_params(length=2, pad=1.5, labelsize=SMALL)
