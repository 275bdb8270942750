"""What every kind of result file says of itself: what it was computed from, or why there is no result."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.json_record import Newer
from promptatlas.records.fingerprint import changed, fingerprint


class Kind(ABC):
    """One kind of file. suffix: of its name, without the dot."""

    suffix = "json"

    @abstractmethod
    def inputs(self, path: Path) -> Mapping[str, Any]:
        """What the result at `path` was computed from, by name.

        Raises Failed if the file says why there is no result, UserError if it is missing, damaged or of a newer version.
        """

    @abstractmethod
    def packed(self, content: Any, inputs: Mapping[str, Any]) -> bytes:
        """The file of a result that was computed from `inputs`."""

    @abstractmethod
    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        """A file that says why there is no result."""

    def fingerprint(self, path: Path) -> str:
        """Of what the result at `path` was computed from; raises as `inputs` does."""
        return fingerprint(self.inputs(path))

    def taken_over(self, path: Path, about: Mapping[str, Any]) -> bytes:
        """The file at `path`, which an interrupted job left, as the result that `about` tells of; raises as `inputs` does."""
        return path.read_bytes()

    def holds(self, path: Path, mark: str) -> bool:
        """Whether the result at `path` is there and has this fingerprint; one that failed is to be tried again."""
        try:
            return path.exists() and self.fingerprint(path) == mark
        except Failed:
            return False

    def is_left(self, path: Path, mark: str) -> bool:
        """The same of what an interrupted job left, where a damaged file is as good as none."""
        try:
            return self.holds(path, mark)
        except Newer:
            raise
        except UserError:
            return False

    def changed(self, path: Path, inputs: Mapping[str, Any]) -> list[str]:
        """Names of the inputs in which the result at `path` differs; raises as `inputs` does."""
        return [] if self.fingerprint(path) == fingerprint(inputs) else changed(self.inputs(path), inputs)


class JsonRecord(Kind):
    """JSON records whose content is all but their fingerprint. read: of the one at a path, which raises as `inputs` does."""

    def __init__(self, read: Callable[[Path], dict[str, Any]]) -> None:
        self.read = read

    def inputs(self, path: Path) -> Mapping[str, Any]:
        return dict(self._computed(path)["parts"])

    def fingerprint(self, path: Path) -> str:
        return str(self._computed(path)["fingerprint"])

    def _computed(self, path: Path) -> dict[str, Any]:
        record = self.read(path)
        if record.get(FAILED):
            raise Failed(record[FAILED])
        return record

    def packed(self, content: Mapping[str, Any], inputs: Mapping[str, Any]) -> bytes:
        return packed({**content, "fingerprint": fingerprint(inputs), "parts": dict(inputs)})

    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        """about: what the record says besides."""
        return packed({**about, "fingerprint": "", "parts": {}, FAILED: str(why)})


def packed(record: Mapping[str, Any]) -> bytes:
    """A record as JSON."""
    return (json.dumps(dict(record), indent=1) + "\n").encode()
