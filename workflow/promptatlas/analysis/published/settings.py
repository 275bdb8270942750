"""What of the settings behind a printed score a study has otherwise. Knows nothing of the scores."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

BESIDES = "besides"
UNKNOWN = "settings not known"


@cache
def _settings() -> dict[str, dict[str, dict[str, Any]]]:
    """By reference, then design and form, or benchmark; the anchors beside them are no reference."""
    return yaml.safe_load((Path(__file__).parent / "settings.yaml").read_text(encoding="utf-8"))


def difference(printed: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """In one phrase what differs between a study and a printed score; empty where nothing does.

    printed: a row of `published.printed`. config: the study's resolved configuration.
    """
    reference = _settings().get(printed["reference"], {})
    form = reference.get(printed["design"], {}).get(printed["form"], {})
    besides = [one[BESIDES] for one in (form, reference.get(printed["tasks"], {})) if BESIDES in one]
    known = {name: value for name, value in form.items() if name != BESIDES}
    if not known:
        return "; ".join([UNKNOWN, *besides])
    own = {**config, **config["settings"].get(printed["method"], {})}
    other = [f"{name} {value}" for name, value in known.items() if own.get(name) != value]
    return "; ".join([*([f"other settings: {', '.join(other)}"] if other else []), *besides])
