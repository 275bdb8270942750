"""The study that a command is about: config.yaml, a file on top of it, and values of the command line."""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.study import configuration, relative_folders
from promptatlas.study.study import Study

USUAL = Path("config.yaml")
_KEY = re.compile(r"[A-Za-z_][\w-]*\w", re.ASCII)  # what Snakemake takes for one


def study(options: argparse.Namespace, **other: Any) -> Study:
    """The study of config.yaml and of the file on top of it, which may stand alone, with values of the command line, and `other` ones."""
    config = configured(files_of(options.configfile) or [USUAL], given_values(options.config) | other)
    tell(elsewhere(options.configfile, config))
    return Study(config)


def elsewhere(configfile: Path | None, config: Mapping[str, Any]) -> list[str]:
    """That results of the study lie in the folder of its file, where there are none in the working directory, from which they count."""
    place = Path(str(config.get("results", "results")), str(config.get("study", "")))
    if configfile is None or place.is_dir() or not (configfile.parent / place).is_dir():
        return []
    return [
        f"results count from the working directory, which has no {place}; for those in {configfile.parent / place} run the command in "
        f"{configfile.parent}, where the file lies"
    ]


def given_values(entries: Sequence[str]) -> dict[str, Any]:
    """Values of the command line by key."""
    given: dict[str, Any] = {}
    for entry in entries:
        key, sign, value = entry.partition("=")
        if not sign or not _KEY.fullmatch(key):
            raise UserError(f"`--config` has '{plain(entry)}'; write key=value, such as 'seeds=[1,2]'")
        given[key] = configuration.value(key, value)
    return given


def require_readable(files: Iterable[Path], entries: Sequence[str]) -> None:
    """UserError if a file holds no configuration, or values of the command line are none: Snakemake would say less of it."""
    for path in files:
        configuration.load(path)
    given_values(entries)


def files_of(configfile: Path | None) -> list[Path]:
    """Those that a study is configured by."""
    return [path for path in (USUAL, configfile) if path is not None and (path.exists() or path == configfile)]


def configured(files: Sequence[Path], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the files say, each on top of the one before, and what was `given` on top of all, unchecked."""
    config: dict[str, Any] = {}
    for path in files:
        config = merged(config, configuration.load(path))
    config, wrong = relative_folders.counted(merged(config, dict(given or {})), files)
    if wrong:
        tell(wrong[:-1])
        raise wrong[-1]
    return config


def tell(sentences: Iterable[object]) -> None:
    for sentence in sentences:
        print(f"promptatlas: {sentence}", file=sys.stderr)


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` on top of `below`, mapping by mapping, as Snakemake merges its configuration files."""
    both = {key: merged(below[key], value) for key, value in above.items() if isinstance(value, dict) and isinstance(below.get(key), dict)}
    return {**below, **above, **both}
