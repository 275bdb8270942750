"""Labels out of a column of a table, whatever form they have there."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, shown, some
from promptatlas.tasks.readers.names import natural

FEW = 3
NO_CLASS = "which is no class; name the class, or leave the image out"


def is_negative(label: Any) -> bool:
    """Whether it is a number below 0, also as a text, as which images without a label are often noted."""
    return label < 0 if isinstance(label, int) else isinstance(label, str) and bool(re.fullmatch(r"-\d+", label.strip()))


def are_marks(groups: Iterable[tuple[Sequence[Any], int]], where: str) -> bool:
    """Whether lists are marks, zeros and ones, one per class in every row, and no class numbers: in all groups of the data alike.

    groups: the values of each and how many classes have names, 0 if none. UserError where one has lists and another has none.
    """
    found = [(values, classes) for values, classes in groups if len(values)]
    whole = [all(isinstance(value, list) for value in values) for values, _ in found]
    none = [not any(isinstance(value, list) for value in values) for values, _ in found]
    if any(whole) and any(none):
        raise UserError(
            f"{where} has lists of classes for the images of one split and one class for those of another; give all of them lists"
        )
    if not found or not all(whole):
        return False
    lengths = {len(value) for values, _ in found for value in values}
    wanted = {classes for _, classes in found if classes}
    items = (item for values, _ in found for value in values for item in value)
    if len(lengths) != 1 or not all(isinstance(item, int) and item in (0, 1) for item in items):
        return False
    return lengths == wanted if wanted else lengths.pop() > 1  # a list of class numbers has no reason to look like that


def labels_and_names(
    feature: Any, column: Any, given: tuple[str, ...], where: str, marks: bool | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(labels, class names) of an Arrow column of N rows and its `datasets` feature.

    Whole numbers and texts give (N,) int64; lists of them, or of marks, give (N, C) uint8. Names are `given`, or those
    that the feature has, or the texts themselves, or else the numbers that occur, written out. marks: what `are_marks` says of all
    groups, by default of this one.
    """
    many, named = listed_and_named(feature, given)
    return _labels(column.to_pylist(), many, named, where, marks)


def listed_and_named(feature: Any, given: tuple[str, ...] = ()) -> tuple[bool, tuple[str, ...]]:
    """Whether a `datasets` feature is of lists, and the names of the classes, as `given` or as it has them."""
    element = getattr(feature, "feature", feature)
    many = element is not feature or hasattr(feature, "shape")
    named = tuple(given or getattr(element, "names", None) or ())
    return many, named


def of_values(
    values: Sequence[Any], named: tuple[str, ...], where: str, marks: bool, row: Callable[[int], str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The same of what labels are where no feature says it. Numbers of one class each that have no names are names themselves, those
    that occur. row: what a message calls the row of a value."""
    listed = (value if isinstance(value, list) else [value] for value in values)
    if odd := [number for number, items in enumerate(listed) if any(map(is_negative, items))]:
        raise UserError(f"{row(odd[0])} has the label {shown(values[odd[0]])}, {NO_CLASS}")
    lists = sum(isinstance(value, list) for value in values)
    if lists not in (0, len(values)):
        raise UserError(f"{where} has {counted(lists, 'image')} with a list of classes and others with one class; give all of them lists")
    bare = not named and not lists and all(isinstance(value, int) for value in values)
    return _labels([str(value) for value in values] if bare else list(values), bool(lists), named, where, marks)


def number_notes(groups: Iterable[Sequence[str]], remedy: str) -> list[str]:
    """A note where prompts would name classes by numbers. groups: names of classes; remedy: where else these can be, besides `classes`."""
    names = [*dict.fromkeys(name for group in groups for name in group)]
    if not names or not all(name.isdecimal() for name in names):
        return []
    return [f"its classes have numbers only ({some(names, FEW)}), which prompts say too; name them {remedy}, or under `classes`"]


def _labels(
    values: list[Any], many: bool, named: tuple[str, ...], where: str, marked: bool | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    without = (value is None or (bool(named) and isinstance(value, int) and value < 0) for value in values)
    if missing := sum(without):
        raise UserError(f"{where} has {counted(missing, 'image')} without a label; use a split that has labels")
    flat = [item for value in values for item in value] if many else values
    if all(isinstance(item, str) for item in flat) and flat:
        return _of_texts(values, flat, many)
    if not all(isinstance(item, int) for item in flat):
        kind = type(next(item for item in flat if not isinstance(item, int))).__name__
        raise UserError(f"{where} has labels of type {kind}; a label is a whole number, a text, or a list of them")
    if many and (are_marks([(values, len(named))], where) if marked is None else marked):
        marks = np.array(values, dtype=np.uint8).reshape(len(values), -1)
        return marks, named or tuple(map(str, range(marks.shape[1])))
    if not named:
        if negative := sum(item < 0 for item in flat):
            raise UserError(f"{where} has {counted(negative, 'label')} below 0, {NO_CLASS}")
        occurring = sorted({int(item) for item in flat})
        column = {number: place for place, number in enumerate(occurring)}
        labels = _marks(values, column) if many else np.array([column[item] for item in flat], dtype=np.int64)
        return labels, tuple(map(str, occurring))
    if flat and not 0 <= min(flat) <= max(flat) < len(named):
        odd = max(flat) if max(flat) >= len(named) else min(flat)
        found = f"label {odd} but names for {len(named)} classes only ({some(map(shown, named), FEW)})"
        raise UserError(f"{where} has {found}; correct `classes` or `names`")
    if not many:
        return np.array(flat, dtype=np.int64), named
    return _marks(values, {number: number for number in range(len(named))}), named


def _of_texts(values: list, flat: list[str], many: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    names = tuple(sorted(set(flat), key=natural))
    column = {name: number for number, name in enumerate(names)}
    return _marks(values, column) if many else np.array([column[text] for text in flat], dtype=np.int64), names


def _marks(values: list[list], column: dict) -> np.ndarray:
    marks = np.zeros((len(values), len(column)), dtype=np.uint8)
    for row, value in enumerate(values):
        marks[row, [column[item] for item in value]] = 1
    return marks
