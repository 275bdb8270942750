"""A study that trains nothing (`design: recommend`): which of other studies' prompts to use on each of some targets with a few labelled
images. What it asks for, and where its answers lie.

Knows nothing of torch or Snakemake, nor of how it is answered (`answer`), so that a workflow is planned quickly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.recommendation.labelled import placed
from promptatlas.runs import changes, session
from promptatlas.study import relative_folders, schema
from promptatlas.study.paths import Paths
from promptatlas.tasks import catalogue, readers
from promptatlas.tasks.mini import MINI_TASKS

DESIGN, KEY = "recommend", "recommend"
FOLDER, TABLE = "recommendations", "recommendation"
ARCHIVES = (".tar.gz", ".tgz")


@dataclass(frozen=True)
class Targets:
    """config: complete, as far as a recommendation asks; described: by target what the configuration says under `data`; paths: of the
    study."""

    config: Mapping[str, Any]
    described: Mapping[str, Mapping[str, Any]]
    paths: Paths

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Targets:
        """UserError with one sentence on the first mistake."""
        schema.require_reasonable(dict(given))
        config = schema.meant(dict(given))
        schema.check(config)
        schema.fill(config)
        asked: dict[str, Any] = {"from": [], "tune": 0, "shots": None, "seed": 0}
        asked |= {key: value for key, value in (config[KEY] or {}).items() if value is not None}
        if not asked["from"]:
            raise UserError(f"`design: {DESIGN}` needs `{KEY}: {{from: [results/mini]}}`, the studies whose prompts are tried; name one")
        if config["precision"] != schema.usual("precision"):
            raise UserError(
                f"`design: {DESIGN}` computes in {schema.usual('precision')}, whatever prompts were tuned in; leave `precision` out"
            )
        names = [*config["data"]] if config["tasks"] == "all" else config["tasks"]
        if not names:
            raise UserError(f"`design: {DESIGN}` needs targets; describe your images under `data`, or list known tasks under `tasks`")
        described = {name: config["data"].get(name, {}) for name in names}
        for name, about in described.items():
            if name not in MINI_TASKS or about:
                catalogue.described(name, about) if about else catalogue.entry(name)
        if unused := sorted({*config["data"]} - {*names}):
            raise UserError(f"`data` describes `{plain(unused[0])}`, which `tasks` does not list; add it there, or leave `tasks` out")
        for source in map(Path, asked["from"]):
            _require(source)
        return cls(config | {KEY: asked}, described, Paths.at(Path(config["results"]) / config["study"]))

    @property
    def asked(self) -> Mapping[str, Any]:
        """from: the studies; tune, shots and seed as `promptatlas recommend` takes them."""
        return self.config[KEY]

    @property
    def sources(self) -> list[Path]:
        """What changes when prompts do: the provenance of each study, or the archive itself."""
        return [path if path.is_file() else Paths.at(path).provenance_file for path in map(Path, self.asked["from"])]

    def folder(self, target: str) -> Path:
        return self.paths.folder / FOLDER / target

    def outputs(self, target: str) -> list[Path]:
        return [self.folder(target) / name for name in ("recommendation.json", "candidates.csv")]

    @property
    def answers(self) -> list[Path]:
        """What is said of each target, in order."""
        return [self.outputs(target)[0] for target in self.described]

    @property
    def tables(self) -> list[Path]:
        return self.paths.table(TABLE)

    def params(self, target: str) -> dict[str, Any]:
        """What makes the answer another: the description, how prompts are tried, and a look at the images, of which none is opened."""
        about = {key: value for key, value in self.described[target].items() if key not in changes.PLACES and key != "folder"}
        return {"described": about, "asked": {key: self.asked[key] for key in ("tune", "shots", "seed")}, "images": self._look(target)}

    def _look(self, target: str) -> str:
        """A hash of names, sizes and times of the target's files; empty for one that is drawn, or whose images are not there."""
        if target in MINI_TASKS:
            return ""
        entry = catalogue.described(target, placed(self.described[target], Path.cwd()))
        data_root = Path(self.config["data_root"]).expanduser()
        source = readers.find(entry.sources, data_root)
        found = source and changes.look(source, data_root)
        if not found:
            return ""
        return hashlib.sha256(json.dumps([(name, one.size, one.changed) for name, one in sorted(found.items())]).encode()).hexdigest()

    def resources(self) -> dict[str, Any]:
        """What the job of a target asks of a cluster."""
        asked = {key: self.config[key] for key in ("memory_mib", "minutes")} | self.config["resources"].get(KEY, {})
        gpus = asked.get("gpus", 0 if self.config["device"] == "cpu" else 1)
        return {"gpu": gpus, "mem_mib": asked["memory_mib"], "runtime": asked["minutes"]}


def _require(source: Path) -> None:
    """UserError unless a source of prompts is an archive or a study that has run to its end."""
    if source.name.endswith(ARCHIVES):
        if not source.is_file():
            raise UserError(f"`{KEY}.from` names {source}, which does not exist; look for a misspelt name")
    elif not Paths.at(source).provenance_file.is_file():
        why = "is no study that has run to its end" if source.is_dir() else "does not exist"
        raise UserError(
            f"`{KEY}.from` names {source}, which {why}; give the folder of a finished study, or an archive of `promptatlas pack`"
        )


def plan(config: dict[str, Any], files: Iterable[str | Path] = ()) -> Targets:
    """What `config` asks for; a user's mistake ends the process with one sentence and status 1. files: as in `runs.session.plan`."""
    try:
        placed, wrong = relative_folders.counted(config, [Path(file) for file in files if Path(file).exists()])
        session.end_if_any(wrong)
        config.update(placed)
        return Targets.of(config)
    except UserError as error:
        session.end(error)
