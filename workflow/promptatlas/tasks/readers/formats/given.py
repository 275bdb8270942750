"""Data of a format as a study gives them, and what a format makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from promptatlas.tasks.readers.assemble import Part


@dataclass(frozen=True)
class GivenData:
    """path: the folder or file that a study names; root: what the paths of its lists count from, if that is said; label, image: the
    columns or keys that hold them, empty if nothing is said."""

    path: Path
    root: Path | None = None
    label: str = ""
    image: str = ""


class Format(Protocol):
    """A module that knows one format. FORM: in a few words what has to be where; ENDINGS: of its files besides images; KEYS: of
    GivenData that it heeds.

    A group is what the data themselves tell apart, such as train2017: it may be a split of a study.
    """

    @property
    def FORM(self) -> str: ...

    @property
    def ENDINGS(self) -> tuple[str, ...]: ...

    @property
    def KEYS(self) -> tuple[str, ...]: ...

    def recognised(self, path: Path) -> bool:
        """Whether what is at `path` can be nothing else; opens no image."""

    def groups(self, place: GivenData) -> Mapping[str, Any]:
        """What there is by the name of its group. UserError if there is nothing of this format."""

    def parts(self, place: GivenData, groups: Mapping[str, Any]) -> tuple[dict[str, Part], Sequence[str]]:
        """The images of some of the groups with their labels, and notes."""

    def beside(self, place: GivenData) -> Sequence[Path]:
        """Of data in one file the other files that reading may depend on."""
