"""Where everything of a study lies: the only place that knows the layout of a results folder.

Knows nothing of jobs, of torch, of Snakemake or of what is in the files.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from promptatlas.records.cells import Cell
from promptatlas.study.multitask import AVERAGE, MULTITASK, MultitaskOptions
from promptatlas.tasks import base_new
from promptatlas.tasks.prepared import ARRAYS, SPLITS, array_path


class Paths:
    """The files of a study, by what they are."""

    folder: Path

    def __init__(self, folder: Path, shots: int, multitask: MultitaskOptions):
        self.folder = folder
        self._shots = shots
        self._multitask = multitask

    @classmethod
    def at(cls, folder: Path) -> "Paths":
        """Where things lie in a study's folder, of which nothing else is known: neither draws nor multitask prompts have a place."""
        paths = cls.__new__(cls)
        paths.folder = folder
        return paths

    def task_folder(self, task: str) -> Path:
        return self.folder / "tasks" / task

    def task_files(self, task: str, splits: Sequence[str] = SPLITS) -> list[Path]:
        folder = self.task_folder(task)
        arrays = [array_path(folder, split, kind) for split in splits for kind in ARRAYS]
        return [folder / "task.json", *arrays]

    def task_records(self, tasks: Iterable[str]) -> list[Path]:
        """What changes when any image or label of a task changes."""
        return [self.task_folder(task) / "task.json" for task in tasks]

    def prepared_files(self, task: str) -> list[Path]:
        """Everything that is prepared of a task, or of a part of one."""
        return self.subset_files(task) if base_new.subset_of(task) else [*self.task_files(task), self.factors(task)]

    @property
    def fetched(self) -> Path:
        """Where data sets and weights were found: what has to be known before anything else."""
        return self.folder / "fetched.json"

    @property
    def architecture(self) -> Path:
        return self.backbone_folder / "architecture.json"

    def probe(self, task: str) -> Path:
        return self.folder / "probes" / f"{task}.json"

    def subset_files(self, task: str) -> list[Path]:
        """Files of base or new classes, whose images are the whole task's."""
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
        return self.folder / "draws" / f"shots{self._shots}-seed{seed}" / f"{task}.json"

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
        """A prompt of one task, whether it was trained on that task alone or is what a shared learner gives it."""
        return self.folder / "prompts" / method / f"seed{seed}" / f"{task}.safetensors"

    def multitask_prompt(self, method: str, which: int | str, target: str) -> Path:
        """The source prompt for `target` of a seed, or the average of those of all seeds."""
        stem = f"without-{target}" if self._multitask.leaves_one_out else "listed" if self._multitask.listed else "all"
        return self.folder / "multitask" / method / _seed(which) / f"{stem}.safetensors"

    def multitask_source(self, method: str, seed: int, target: str) -> Path:
        """The source prompt that the row `multitask` applies."""
        return self.multitask_prompt(method, AVERAGE if self._multitask.options["average_seeds"] else seed, target)

    def joint_prompt(self, method: str, source: str, which: int | str, group: tuple[str, ...]) -> Path:
        """A prompt that was tuned for a group, or (source `without`) the one it starts from, which saw none of it."""
        name = "+".join(group) if len(group) < 5 else f"{group[0]}+{len(group) - 1}-{_short(group)}"
        return self.folder / "joint" / "prompts" / method / source / _seed(which) / f"{name}.safetensors"

    def joint_groups(self, method: str) -> Path:
        """Where groups that were found are noted, with the gains that speak for them."""
        return self.folder / "joint" / "groups" / f"{method}.json"

    def joint_score(self, method: str, source: str, adaptation: str, seed: int, task: str) -> Path:
        return self.folder / "joint" / "scores" / method / f"{source}-{adaptation}" / _seed(seed) / f"{task}.json"

    def adapter_prompt(self, source: str, seed: int, task: str) -> Path:
        """The prompt that gives an adapter its class weights: a method's own of the task, or CoOp's of many tasks."""
        return self.multitask_source("coop", seed, task) if source == MULTITASK else self.prompt(source, seed, task)

    def shared(self, method: str, seed: int) -> Path:
        """What a learner found out about all tasks: its parameters, and the class weights of every task."""
        return self.folder / "shared" / method / f"seed{seed}.safetensors"

    def score(self, method: str, seed: int, task: str) -> Path:
        """The score of a method that has no place in the matrix."""
        return self.folder / "scores" / method / f"seed{seed}" / f"{task}.json"

    def cell(self, cell: Cell) -> Path:
        return self.folder / f"cells/{cell.protocol}/{cell.method}/seed{cell.seed}/{cell.target}/{cell.source}.json"

    def tries(self, method: str, target: str) -> Path:
        """What every prompt of a method answers on labelled training images of a target."""
        return self.folder / "tries" / method / f"{target}.safetensors"

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

    def table(self, name: str) -> list[Path]:
        return [self.folder / "tables" / f"{name}.{kind}" for kind in ("parquet", "csv")]

    def measure(self, name: str) -> Path:
        """No file, but what the notes of a measure call its rows in the table `similarity`."""
        return self.folder / "tables" / "similarity" / name

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
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def so_far(self) -> Path:
        """The page of a study that is not finished."""
        return self.folder / "so_far.html"

    @property
    def provenance_file(self) -> Path:
        """What everything else was made with."""
        return self.folder / "provenance.json"

    def log(self, job: str) -> Path:
        return self.folder / "logs" / f"{job}.log"

    def benchmark(self, job: str) -> Path:
        return self.folder / "benchmarks" / f"{job}.tsv"


def _seed(which: int | str) -> str:
    return which if isinstance(which, str) else f"seed{which}"


def _short(names: tuple[str, ...]) -> str:
    return hashlib.sha256("\x1f".join(names).encode()).hexdigest()[:12]
