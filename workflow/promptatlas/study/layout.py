"""Where everything of a study lies: the only place that knows the layout of a results folder.

Knows nothing of jobs, of torch, of Snakemake or of what is in the files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptatlas.records.cells import Cell
from promptatlas.study.designs import FEW_SHOT, MATRIX, Design
from promptatlas.tasks.prepared import ARRAYS, SPLITS, array_path

TABLES = ("transfer", "baselines", "methods", "tuning", "tasks", "shared_images")
EXPLAINED = {MATRIX: ("similarity", "statistics"), FEW_SHOT: ()}
PRINTED = ("protocol",)


class Layout:
    """The files of a study, by what they are."""

    config: dict[str, Any]
    folder: Path
    design: Design
    shots: int

    @classmethod
    def at(cls, folder: Path) -> "Layout":
        """Where things lie in a study's folder, of which nothing else is known."""
        layout = Layout()
        layout.folder = folder
        return layout

    def task_folder(self, task: str) -> Path:
        return self.folder / "tasks" / task

    def task_files(self, task: str, splits: Sequence[str] = SPLITS) -> list[Path]:
        folder = self.task_folder(task)
        arrays = [array_path(folder, split, kind) for split in splits for kind in ARRAYS]
        return [folder / "task.json", *arrays]

    @property
    def fetched(self) -> Path:
        """Where data sets and weights were found: what has to be known before anything else."""
        return self.folder / "fetched.json"

    @property
    def architecture(self) -> Path:
        return self.backbone_folder / "architecture.json"

    def probe(self, task: str) -> Path:
        return self.folder / "probes" / f"{task}.json"

    def part_files(self, task: str) -> list[Path]:
        """Files of a part of a task, whose pictures are the whole task's."""
        folder = self.task_folder(task)
        kinds = ["rows", *(kind for kind in ARRAYS if kind != "images")]
        return [folder / "task.json", *(array_path(folder, split, kind) for split in SPLITS for kind in kinds)]

    def factors(self, task: str) -> Path:
        return self.task_folder(task) / "factors.parquet"

    def made_from(self, task: str) -> Path:
        """What was noted of the files and the description that a task was prepared from."""
        return self.task_folder(task) / "made_from.json"

    def looks(self, what: str) -> Path:
        """Empty files, named by the look at the sources of a task for which something was made."""
        return self.folder / "looks" / what

    def look(self, what: str, mark: str) -> Path:
        return self.looks(what) / mark

    def draw(self, task: str, seed: int) -> Path:
        return self.folder / "draws" / f"shots{self.shots}-seed{seed}" / f"{task}.json"

    @property
    def backbone_folder(self) -> Path:
        return self.folder / "backbone"

    @property
    def backbone_files(self) -> list[Path]:
        return [self.backbone_folder / "backbone.safetensors", self.architecture, self.backbone_folder / "tokenizer.json"]

    @property
    def backbone_record(self) -> Path:
        """What is in those files, as hashes: small, and another one whenever they change."""
        return self.backbone_folder / "sha256.json"

    @property
    def backbone_made_from(self) -> Path:
        return self.backbone_folder / "made_from.json"

    def index(self, job: str) -> Path:
        """The hashes of everything that the job of that name made."""
        return self.folder / "index" / f"{job}.json"

    def encoded(self, task: str) -> Path:
        return self.folder / "encoded" / f"{task}.safetensors"

    def prompt(self, method: str, seed: int | str, task: str) -> Path:
        """A prompt of one task, whether it was learned on that task alone or is what a learner of all tasks gives it."""
        return self.folder / "prompts" / method / f"seed{seed}" / f"{task}.safetensors"

    def shared(self, method: str, seed: int) -> Path:
        """What a learner found out about all tasks: its parameters, and the class weights of every task."""
        return self.folder / "shared" / method / f"seed{seed}.safetensors"

    def score(self, method: str, seed: int, task: str) -> Path:
        """The score of a method that has no place in the matrix."""
        return self.folder / "scores" / method / f"seed{seed}" / f"{task}.json"

    def cell(self, cell: Cell) -> Path:
        return self.folder / f"cells/{cell.protocol}/{cell.method}/seed{cell.seed}/{cell.target}/{cell.source}.json"

    def resume(self, fingerprint: str, kind: str) -> Path:
        return self.folder / "resume" / f"{fingerprint}.{kind}"

    @property
    def failures(self) -> Path:
        """Where notes of failed results lie."""
        return self.folder / "failed"

    def failure(self, result: Path) -> Path:
        """The note that says why `result` could not be computed."""
        name = result.relative_to(self.folder)
        return self.failures / name.with_name(f"{name.name}.json")

    @property
    def tables(self) -> list[Path]:
        explained = EXPLAINED.get(self.design.name, PRINTED)
        shared = ("joint",) if self.config["joint"] else ()
        return [path for name in (*TABLES, *explained, *shared) for path in self.table(name)]

    def table(self, name: str) -> list[Path]:
        return [self.folder / "tables" / f"{name}.{kind}" for kind in ("parquet", "csv")]

    @property
    def resolved_config(self) -> Path:
        return self.folder / "config.json"

    @property
    def summary(self) -> Path:
        return self.folder / "summary.json"

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def conclusions(self) -> list[Path]:
        """What is made of the tables."""
        return [self.summary, self.report, self.provenance_file, *([self.figures] if self.design.name in EXPLAINED else [])]

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def provenance_file(self) -> Path:
        """What everything else was made with."""
        return self.folder / "provenance.json"

    def log(self, job: str) -> Path:
        return self.folder / "logs" / f"{job}.log"

    def benchmark(self, job: str) -> Path:
        return self.folder / "benchmarks" / f"{job}.tsv"
