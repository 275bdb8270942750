"""From what a reader finds in each place to one listing: one numbering of the classes, splits joined or drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, shown, some
from promptatlas.tasks.draws import by_class
from promptatlas.tasks.listing import SPLITS, Images, Listing, Split
from promptatlas.tasks.readers.names import require_distinct
from promptatlas.tasks.splits import join, redraw

FEW = 3


@dataclass(frozen=True)
class Part:
    """Images with labels that count this part's own `names`: (N,) class numbers, or (N, C) marks."""

    images: Images
    labels: np.ndarray
    names: tuple[str, ...]
    stamp: str


def wanted(source: dict, default: dict | None = None) -> dict[str, list]:
    """The source's `splits`, checked: our split (or "all", to be drawn from) -> list of what the source calls it."""
    splits = source.get("splits") or default
    whole = "redraw" in source
    if not isinstance(splits, dict) or not splits or set(splits) - ({"all"} if whole else set(SPLITS)):
        expected = "all, since it is drawn anew" if whole else f"some of {', '.join(SPLITS)}"
        raise UserError(f"`splits` of source {describe(source)} is {splits}; its keys must be {expected}")
    return {key: value if isinstance(value, list) else [value] for key, value in splits.items()}


def given_names(source: dict) -> tuple[str, ...]:
    """The source's own list `classes`, for labels that are bare numbers; empty if it has none."""
    names = source.get("classes", [])
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise UserError(f"`classes` of source {describe(source)} is {names!r}; list the class names in the order of the labels")
    return tuple(names)


def describe(source: dict) -> str:
    """What a message calls the source."""
    return str(source.get("manifest") or source.get("path") or source.get("repository") or source.get("dataset"))


def assemble(source: dict, found: dict[str, list[Part]], split_source: str, where: str) -> Listing:
    """One listing of what was found for every split; `where` is what messages call the place.

    Raises UserError for labels without a name, a class name twice, a split without images, and a class that only
    the test or validation images show.
    """
    found = {key: found[key] for key in ("all", *SPLITS) if key in found}
    names = _union(part.names for parts in found.values() for part in parts)
    require_distinct(names, where)
    splits = {key: join([_renumbered(part, names, where) for part in parts]) for key, parts in found.items()}
    for key, split in splits.items():
        if not len(split.labels):
            what = "at all" if key == "all" else f"for {key}"
            raise UserError(f"{where} has no images {what}; see that its files are in place")
    if "redraw" in source:
        # named without the folders above: the same images elsewhere are split in the same way
        drawn = redraw(splits["all"], source["redraw"], Path(describe(source)).name, names)
        return Listing(names, drawn, "promptatlas")
    _require_seen(splits, names, where)
    return Listing(names, splits, source.get("split_source", split_source))


def _union(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in lists for name in names))


def _renumbered(part: Part, names: tuple[str, ...], where: str) -> Split:
    labels = part.labels
    places = np.array([names.index(name) for name in part.names], dtype=np.int64)
    if len(set(part.names)) < len(part.names):
        require_distinct(part.names, where)
    if labels.ndim == 2:
        marks = np.zeros((len(labels), len(names)), dtype=np.uint8)
        marks[:, places] = labels
        return Split(part.images, marks, part.stamp)
    if len(labels) and labels.min() < 0:
        raise UserError(f"{where} has {counted(int((labels < 0).sum()), 'image')} without a label; use a split that has labels")
    if len(labels) and labels.max() >= len(places):
        raise UserError(
            f"{where} has label {labels.max()} but names for {len(places)} classes only ({some(map(shown, part.names), FEW)}); "
            "give all names in `classes`, in the order of the labels"
        )
    return Split(part.images, places[labels] if len(labels) else labels.astype(np.int64), part.stamp)


def _require_seen(splits: dict[str, Split], names: tuple[str, ...], where: str) -> None:
    if "train" not in splits:
        return
    seen = by_class(splits["train"].labels, len(names)) > 0
    for key in ("validation", "test"):
        if key in splits:
            unseen = np.flatnonzero((by_class(splits[key].labels, len(names)) > 0) & ~seen)
            if len(unseen):
                listed = some((shown(names[number]) for number in unseen), FEW)
                raise UserError(f"{where}: no train image of {listed}, but {key} images; add some or take the class out")
