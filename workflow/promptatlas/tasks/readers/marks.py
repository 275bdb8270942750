"""Labels out of a column of a table, whatever form they have there."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, some
from promptatlas.tasks.readers.names import natural

FEW = 3


def labels_and_names(feature: Any, column: Any, given: tuple[str, ...], where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(labels, class names) of an Arrow column of N rows and its `datasets` feature.

    Whole numbers and texts give (N,) int64; lists of them, or of marks, give (N, C) uint8. Names are `given`, or those
    that the feature has, or the texts themselves, or else the numbers written out.
    """
    element = getattr(feature, "feature", feature)
    many = element is not feature or hasattr(feature, "shape")
    named = tuple(given or getattr(element, "names", None) or ())
    return _labels(column.to_pylist(), many, named, where)


def of_values(values: Sequence[Any], named: tuple[str, ...], where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The same of what labels are where no feature says it. Numbers of one class each that have no names are names themselves, those
    that occur."""
    lists = sum(isinstance(value, list) for value in values)
    if lists not in (0, len(values)):
        raise UserError(f"{where} has {counted(lists, 'image')} with a list of classes and others with one class; give all of them lists")
    bare = not named and not lists and all(isinstance(value, int) for value in values)
    return _labels([str(value) for value in values] if bare else list(values), bool(lists), named, where)


def number_notes(names: Sequence[str], remedy: str) -> list[str]:
    """A note where prompts would name classes by numbers. remedy: where else names can be, besides `classes`."""
    if not names or not all(name.isdecimal() for name in names):
        return []
    return [f"its classes have numbers only ({some(names, FEW)}), which prompts say too; name them {remedy}, or under `classes`"]


def _labels(values: list[Any], many: bool, named: tuple[str, ...], where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    if missing := sum(value is None for value in values):
        raise UserError(f"{where} has {counted(missing, 'image')} without a label; use a split that has labels")
    flat = [item for value in values for item in value] if many else values
    if all(isinstance(item, str) for item in flat) and flat:
        return _of_texts(values, flat, many)
    if not all(isinstance(item, int) for item in flat):
        kind = type(next(item for item in flat if not isinstance(item, int))).__name__
        raise UserError(f"{where} has labels of type {kind}; a label is a whole number, a text, or a list of them")
    names = named or tuple(map(str, range(max(flat, default=-1) + 1)))
    if not many:
        return np.array(flat, dtype=np.int64), names
    if _are_marks(values, flat, len(named)):
        marks = np.array(values, dtype=np.uint8).reshape(len(values), -1)
        return marks, named or tuple(map(str, range(marks.shape[1])))
    if flat and not 0 <= min(flat) <= max(flat) < len(names):
        found = f"labels from {min(flat)} to {max(flat)} but names for {len(names)} classes"
        raise UserError(f"{where} has {found}; correct `classes` or `names`")
    return _marks(values, {number: number for number in range(len(names))}), names


def _of_texts(values: list, flat: list[str], many: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    names = tuple(sorted(set(flat), key=natural))
    column = {name: number for number, name in enumerate(names)}
    return _marks(values, column) if many else np.array([column[text] for text in flat], dtype=np.int64), names


def _are_marks(values: list[list[int]], flat: list[int], classes: int) -> bool:
    """Zeros and ones, one per class in every row; a list of class numbers has no reason to look like that."""
    lengths = {len(value) for value in values}
    if len(lengths) != 1 or not set(flat) <= {0, 1}:
        return False
    return lengths == {classes} if classes else lengths.pop() > 1


def _marks(values: list[list], column: dict) -> np.ndarray:
    marks = np.zeros((len(values), len(column)), dtype=np.uint8)
    for row, value in enumerate(values):
        marks[row, [column[item] for item in value]] = 1
    return marks
