"""Images with what is seen in them, as annotations of objects have it: marks of the classes of each image.

Boxes, masks and how many objects there are do not matter. Where every image shows exactly one class, its number is the label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promptatlas.base.messages import counted, plain, some
from promptatlas.tasks.readers.assemble import Part
from promptatlas.tasks.readers.files import File, Files, stamp

FEW = 3


@dataclass(frozen=True)
class Annotated:
    """files: below `root`; shown: the classes that each of them shows; names: all classes that the annotations know, in order."""

    root: Path
    files: Sequence[File]
    shown: Sequence[frozenset[str]]
    names: tuple[str, ...]


def parts(groups: Mapping[str, Annotated]) -> tuple[dict[str, Part], list[str]]:
    """Labels of all groups alike, (N,) or marks (N, C) of the classes that some image of any of them shows; and notes."""
    known = tuple(dict.fromkeys(name for group in groups.values() for name in group.names))
    seen = {name for group in groups.values() for shown in group.shown for name in shown}
    names = tuple(name for name in known if name in seen)
    single = all(len(shown) == 1 for group in groups.values() for shown in group.shown)
    found = {}
    for key, group in groups.items():
        marks = np.array([[name in shown for name in names] for shown in group.shown], np.uint8).reshape(len(group.shown), len(names))
        labels = marks.argmax(1).astype(np.int64) if single and len(names) else marks
        found[key] = Part(Files(group.root, [file.path for file in group.files]), labels, names, stamp(group.files))
    return found, _notes(known, names, single, sum(not shown for group in groups.values() for shown in group.shown))


def _notes(known: Sequence[str], names: Sequence[str], single: bool, empty: int) -> list[str]:
    notes = []
    if unseen := [name for name in known if name not in names]:
        notes.append(
            f"no image shows {some(map(plain, unseen), FEW)}, so {'it is no class' if len(unseen) == 1 else 'they are no classes'}"
        )
    if single:
        notes.append("every image shows exactly one class, so each has one label")
    if empty:
        notes.append(f"{counted(empty, 'image')} without any object {'counts' if empty == 1 else 'count'} as showing none of the classes")
    return notes
