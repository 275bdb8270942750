"""Which code from outside is no longer that with which a study's tables were made. Reads only; what follows is for the jobs to find out."""

import json

from promptatlas.base.messages import plain
from promptatlas.methods.registry import CODE, METHODS
from promptatlas.study.study import Study


def told(study: Study) -> list[str]:
    """A line for each method whose code has changed."""
    try:
        before = json.loads(study.paths.resolved_config.read_bytes())["settings"]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    lines = []
    for method, settings in study.config["settings"].items():
        old = before.get(method) if isinstance(before, dict) else None
        origin = METHODS.origin(method)
        if origin and isinstance(old, dict) and old.get(CODE, settings[CODE]) != settings[CODE]:
            lines.append(f"the code of {method}, from {plain(origin.name)}, has changed since the tables were made; its results are stale")
    return lines
