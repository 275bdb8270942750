"""One colour for each method, the same on the page and in all figures, whichever other methods are there."""

from collections.abc import Sequence

from promptatlas import methods

# The first six are from Okabe and Ito's colour-blind-safe set, most others from Tol's.
PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#332288",
    "#882255", "#117733", "#999933", "#AA4499", "#44AA99", "#666666", "#661100",
)  # fmt: skip


def colour_of(method: str, among: Sequence[str] = ()) -> str:
    """The colour of a method: of a registered one by its place in the registry, of another by its place in `among`, with those before it
    that are not registered either."""
    known = [*methods.words()]
    if method not in known:
        known += [name for name in dict.fromkeys([*among, method]) if name not in known]
    return PALETTE[known.index(method) % len(PALETTE)]
