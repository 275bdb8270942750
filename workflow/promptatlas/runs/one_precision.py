"""That tables and pages hold results of one precision, that of their study.

A run computes again what was computed in another one, but until it comes there the old files stay where they are. Only cells, scores and
prompts say their precision; what does not, as a result that failed, is taken as it is. Knows nothing of torch.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from promptatlas.base.errors import UserError
from promptatlas.study.study import Study

KEY = "precision"


class Present:
    """Whether a file is there now, and is of the study's precision; each is read once, and again when it is another one."""

    def __init__(self, study: Study) -> None:
        self.precision = study.config[KEY]
        self._known: dict[Path, tuple[int, bool]] = {}

    def __call__(self, path: Path) -> bool:
        try:
            written = path.stat().st_mtime_ns
        except OSError:
            return False
        if path not in self._known or self._known[path][0] != written:
            self._known[path] = written, of_file(path) in (None, self.precision)
        return self._known[path][1]


def of_file(path: Path) -> str | None:
    """The precision that the result in a file was computed in; None where it does not say, and of one that cannot be read."""
    try:
        if path.suffix == ".json":
            return _of(json.loads(path.read_bytes()).get("parts"))
        with safe_open(path, framework="np") as file:
            return _of(json.loads((file.metadata() or {}).get("parts", "{}")))
    except (OSError, SafetensorError, ValueError, AttributeError, TypeError, RecursionError):
        return None  # whoever reads it says so


def _of(parts: object) -> str | None:
    return parts.get(KEY) if isinstance(parts, dict) else None


def required(study: Study, path: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """The cell or score at `path`, or what a prompt says. UserError if of another precision, as where Snakemake looked at times alone."""
    own, wanted = _of(record["parts"]), study.config[KEY]
    if own not in (None, wanted):
        raise UserError(
            f"{path} was computed in {own}, and would stand in one table with results in {wanted}; delete the file and run again to "
            f"compute it anew, or set `precision: {own}`"
        )
    return dict(record)
