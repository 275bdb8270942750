"""With which files and values a study was asked for, so that a page can say how to ask for a part of it again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from promptatlas.base import place
from promptatlas.runs.variables import ASKED

USUAL = ("Snakefile", "workflow/Snakefile")  # where Snakemake looks by itself
PASSING = ("only",)  # keys that mean one run
SNAKEMAKE, RUN = ("snakemake",), ("promptatlas", "run")


@dataclass(frozen=True)
class Asked:
    """snakefile: where it is, if neither Snakemake nor `promptatlas run` finds it by itself; installed: whether it is the one that the
    installed package brings; files: configurations on top of config.yaml; values: key=value on top of both, as words of a command. All as
    the working directory sees them."""

    snakefile: str = ""
    files: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    installed: bool = False

    @property
    def program(self) -> list[str]:
        """With which words a command begins."""
        if self.installed:
            return list(RUN)
        return [*SNAKEMAKE, *(["--snakefile", self.snakefile] if self.snakefile else [])]

    @classmethod
    def of(cls, files: Iterable[str | Path], values: Mapping[str, Any], snakefile: str | Path | None = None) -> Asked:
        """As Snakemake has them; values: by key, parsed; snakefile: None for the usual one."""
        given = tuple(f"{key}={word(value)}" for key, value in values.items() if key not in PASSING)
        usual = snakefile is None or _is_usual(snakefile)
        installed = not usual and place.INSTALLED and place.SNAKEFILE.samefile(str(snakefile))
        return cls("" if usual or installed else _seen(str(snakefile)), tuple(map(_seen, files)), given, installed)

    def note(self) -> None:
        """For the jobs of this run, on whatever machine."""
        os.environ[ASKED] = json.dumps(asdict(self))

    @classmethod
    def noted(cls) -> Asked:
        """What the run noted; nothing outside of one."""
        told = json.loads(os.environ.get(ASKED) or "{}")
        return cls(told.get("snakefile", ""), tuple(told.get("files", ())), tuple(told.get("values", ())), told.get("installed", False))


PLAINLY = Asked()


def here() -> list[str]:
    """The words that run a study in the working directory."""
    return list(SNAKEMAKE if any(Path(one).exists() for one in USUAL) else RUN)


def word(value: Any) -> str:
    """A value as it stands after `key=`: a text as it is, all else as JSON, which is YAML, too."""
    return value if isinstance(value, str) else json.dumps(value)


def _is_usual(snakefile: str | Path) -> bool:
    first = next((one for one in map(Path, USUAL) if one.exists()), None)
    return first is not None and first.samefile(snakefile)


def _seen(path: str | Path) -> str:
    """Relative to the working directory, if it is below that."""
    whole = Path(path).absolute()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else str(whole)
