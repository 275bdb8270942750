"""Labels of a data source turned into those of the task, by the names of the classes.

Never by number: sources order the classes of the same data set differently.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import is_text, printable, some
from promptatlas.tasks import metrics
from promptatlas.tasks.catalogue.entry import TaskEntry
from promptatlas.tasks.listing import NO_IMAGES, Listing, Split

SEPARATORS = re.compile(r"[_\-/\s]+")
FEW = 8


def normalise(name: str) -> str:
    """A class name without what sources spell differently: case, `_`, `-` and `/` for spaces, punctuation, accents."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    kept = "".join(sign for sign in SEPARATORS.sub(" ", plain) if sign.isalnum() or sign == " ")
    return " ".join(kept.split())


def with_metric(entry: TaskEntry, listing: Listing) -> TaskEntry:
    """`entry` with a metric for the labels of `listing`: of one class per image, or of several.

    Only a metric that nobody chose is changed. Raises UserError if the one that was chosen cannot score such labels.
    """
    task, several = entry.task, {split: part.labels.ndim == 2 for split, part in listing.splits.items()}
    if len(set(several.values())) > 1:
        kinds = ", ".join(f"{split} {'lists of classes' if many else 'one class'}" for split, many in several.items())
        raise UserError(f"task {task.name!r}: not all splits are labelled alike ({kinds}); give every image a list of its classes")
    if task.multilabel in several.values():
        return entry
    if task.multilabel:
        raise UserError(
            f"task {task.name!r} has one class per image, and the metric {task.metric} is for images of several; take "
            f"{metrics.choice(metrics.registered(multilabel=False))}, or list all classes of every image"
        )
    if entry.metric_given:
        raise UserError(
            f"task {task.name!r} has images of several classes, and the metric {task.metric} is for one class per image; take "
            f"{metrics.choice(metrics.registered(multilabel=True))}, or leave `metric` out"
        )
    return replace(entry, task=replace(task, metric=metrics.SEVERAL_CLASSES, multilabel=True))


def fitting(entry: TaskEntry, names: Sequence[str], several: bool) -> TaskEntry:
    """`entry` with metric and classes for data that call their classes `names`; several: whether an image can be of some at once.

    UserError if these are not the classes, or not labels that the metric can score.
    """
    nothing = Split(NO_IMAGES, np.zeros((0, len(names)) if several else 0, np.int64), "")
    listing = Listing(tuple(names), {"train": nothing}, "")
    entry = with_metric(entry, listing)
    entry = entry if entry.task.class_names else entry.with_classes(names)
    relabel(listing, entry)
    return entry


def relabel(listing: Listing, entry: TaskEntry) -> Listing:
    """`listing` with the classes of `entry.task`, in their order and spelling, and labels that count them.

    Classes are the same if they are spelt the same, or as one of the entry's spellings, or equal once normalised.
    Raises UserError if the classes do not correspond one to one, or labels are not numbers of classes.
    """
    for split, part in listing.splits.items():
        _require_labels(part.labels, len(listing.class_names), f"task {entry.task.name!r}, split {split}")
    places = _places(listing.class_names, entry)
    splits = {
        split: replace(part, labels=_moved(part.labels, places, len(entry.task.class_names))) for split, part in listing.splits.items()
    }
    return replace(listing, class_names=entry.task.class_names, splits=splits)


def _places(found: Sequence[str], entry: TaskEntry) -> np.ndarray:
    """Number in the task of every class that was found."""
    wanted, name = entry.task.class_names, entry.task.name
    numbers = {shown: number for number, shown in enumerate(wanted)}
    exact = {spelling: numbers[shown] for spelling, shown in entry.spellings.items()} | numbers
    loose = _loose(exact)
    matched = [_place(title, exact, loose) for title in found]
    lone = [title for title, place in zip(found, matched, strict=True) if place is None]
    missing = [shown for number, shown in enumerate(wanted) if number not in matched]
    for place, count in Counter(place for place in matched if place is not None).items():
        if count > 1:
            same = [title for title, other in zip(found, matched, strict=True) if other == place]
            raise UserError(
                f"task {name!r}: the data have {_listed(same)} for the one class {wanted[place]!r}"
                f"{_difference(lone, missing)}; rename or merge them"
            )
    if lone or missing:
        raise UserError(
            f"task {name!r}: the classes of the data are not those of the task{_difference(lone, missing)}; "
            "get the whole data set, or name its classes as the task does"
        )
    return np.array(matched, dtype=np.int64)


def _place(title: str, exact: dict[str, int], loose: dict[str, int]) -> int | None:
    """The class that a source calls `title`; a name that is no text is found as it is printed."""
    if not is_text(title):
        return exact.get(printable(title))
    return exact.get(title, loose.get(normalise(title)))


def _loose(exact: dict[str, int]) -> dict[str, int]:
    """Normalised names that stand for one class only."""
    meanings: dict[str, set[int]] = {}
    for title, number in exact.items():
        meanings.setdefault(normalise(title), set()).add(number)
    return {key: numbers.pop() for key, numbers in meanings.items() if key and len(numbers) == 1}


def _require_labels(labels: np.ndarray, classes: int, where: str) -> None:
    if labels.ndim == 2:
        if labels.shape[1] != classes or not np.isin(labels, (0, 1)).all():
            raise UserError(f"{where}: the labels are marks of {labels.shape[1]} classes for {classes} class names, or not 0 and 1")
    elif len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        wrong = int(labels.min() if labels.min() < 0 else labels.max())
        raise UserError(
            f"{where}: an image has label {wrong}, but the data name {classes} classes (0 to {classes - 1}); "
            "the data set is not whole, get all of it or put the images into folders named by class"
        )


def _moved(labels: np.ndarray, places: np.ndarray, classes: int) -> np.ndarray:
    if labels.ndim == 1:
        return places[labels] if len(labels) else labels
    moved = np.zeros((len(labels), classes), dtype=labels.dtype)
    moved[:, places] = labels
    return moved


def _difference(lone: Sequence[str], missing: Sequence[str]) -> str:
    data = f"; only the data have {_listed(lone)}" if lone else ""
    return data + (f"; only the task has {_listed(missing)}" if missing else "")


def _listed(names: Iterable[str]) -> str:
    return some((repr(name) if is_text(name) else f"'{printable(name)}'" for name in names), FEW)
