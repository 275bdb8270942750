"""What a study is about: tasks, methods, protocols, seeds and their settings, and where its files, data and backbone are.

Knows nothing of jobs, of torch, of Snakemake or of what is in the files, but for the list of pairs that configures it.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from promptatlas import methods
from promptatlas.base import plugins
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.evaluation import similarity
from promptatlas.records.cells import Cell
from promptatlas.study import pairs
from promptatlas.study.backbone import BackboneChoice
from promptatlas.study.choice import ChoiceOptions
from promptatlas.study.configuration import complete
from promptatlas.study.data import Data
from promptatlas.study.designs import Design, design
from promptatlas.study.multitask import MultitaskOptions
from promptatlas.study.paths import Paths
from promptatlas.study.protocols import PROTOCOLS, SCRATCH, TEMPLATE
from promptatlas.study.schema import usual
from promptatlas.tasks.metrics import METRICS
from promptatlas.tasks.task import Task

ZERO_SHOT = "zero_shot"
# What plugins register says itself what it was made from.
WHERE = (
    "results",
    "data_root",
    "download",
    "plugins",
    "jobs",
    "device",
    "deterministic",
    "memory_mib",
    "minutes",
    "resources",
    "only",
    "report",
)


class Scope:
    """Everything that the configuration says of a study, however its work is cut."""

    def __init__(self, config: dict[str, Any]):
        self.config = complete(config)
        self.name: str = self.config["study"]
        self.folder = Path(self.config["results"]) / self.name
        self.design: Design = design(self.config)
        self.tasks: tuple[str, ...] = self.design.tasks
        self.learners: tuple[str, ...] = self.design.learners
        self.methods: tuple[str, ...] = self._used("prompt")
        self.pairs = pairs.of(self.config, self.tasks, self.learners, self.methods)
        # Beside a matrix that is not whole there is nothing else.
        self.shared_methods: tuple[str, ...] = () if self.pairs else self._used("shared")
        self.adapter_methods: tuple[str, ...] = () if self.pairs else self._used("adapter")
        self.protocols: tuple[str, ...] = tuple(self.config["protocols"])
        self.seeds: tuple[int, ...] = tuple(self.config["seeds"])
        self.shots: int = self.config["shots"]
        self.sources: tuple[str, ...] = (*self.learners, *self.config["calibration"]) if self.methods else (TEMPLATE,)
        self.choice = ChoiceOptions(self.config)
        self.multitask = MultitaskOptions(self.config | ({"multitask": None, "joint": []} if self.pairs else {}), self.tasks)
        if self.multitask.row:
            self.sources = (*self.sources, self.multitask.row)
        self.paths = Paths(self.folder, self.shots, self.multitask)
        self.data = Data(self.config, self.design, self.paths)
        self.backbone = BackboneChoice(self.config)

    def _used(self, kind: str) -> tuple[str, ...]:
        """The methods of one kind that are listed, or that a listed one builds upon."""
        return tuple(method for method in self.config["settings"] if methods.kind(method) == kind)

    @property
    def tries(self) -> bool:
        """Whether prompts are tried on labelled images, to find out how well one can be chosen: where all are there."""
        return bool(self.choice) and not self.pairs

    def has_cells(self, protocol: str, method: str, source: str, target: str) -> bool:
        """Whether the study has cells of `source`'s prompt, which may be a row beside the tasks, on `target`."""
        return self.design.measures(source, target) and (self.pairs is None or self.pairs.measures(protocol, method, source, target))

    def trained_on(self, method: str) -> tuple[str, ...]:
        """The tasks on which source prompts of a method are trained: of the learners those that any cell applies."""
        if self.pairs is None:
            return self.learners
        own = [self.pairs.targets(protocol, method) for protocol in self.protocols if self.starts_from_targets(protocol, method)]
        wanted = {*self.pairs.sources(method)}.union(*own)
        return tuple(task for task in self.learners if task in wanted)

    @property
    def cell_methods(self) -> tuple[str, ...]:
        """Methods that have cells: those whose prompts are tried or, where there is none, zero-shot alone with the row `template`."""
        return self.methods or (ZERO_SHOT,)

    @property
    def every_method(self) -> tuple[str, ...]:
        """Methods with jobs of their own that compute cells or scores."""
        return (*self.cell_methods, *self.shared_methods, *self.adapter_methods)

    @property
    def ensemble(self) -> bool:
        """Whether hand-written class weights are the mean over all sentences of a task; otherwise of the first alone."""
        return self.settings(ZERO_SHOT)["templates"] == "ensemble"

    @property
    def sentences(self) -> str:
        """How fingerprints call the sentences that hand-written class weights are made of."""
        return TEMPLATE if self.ensemble else f"first {TEMPLATE}"

    def hand_written(self, task: Task) -> Task:
        """A task with the sentences that its hand-written class weights are made of."""
        return task if self.ensemble else replace(task, templates=task.templates[:1])

    @property
    def needs_fetching(self) -> bool:
        return bool(self.data.real_tasks) or self.backbone.is_published

    def settings(self, method: str) -> dict[str, Any]:
        return self.config["settings"][method]

    def target_settings(self, protocol: str, method: str) -> dict[str, Any]:
        """The settings with which a protocol tunes a method's prompts on targets; the method's own where it does not."""
        own = PROTOCOLS[protocol].settings
        return self.settings(method) if own is None else own(self.settings(method), self.config)

    def tunes(self, cell: Cell) -> bool:
        """Whether the prompt of a cell is tuned where it is measured, and not before.

        If its protocol tunes every prompt is, but one from scratch that is tuned as the target's source prompt: it is that one.
        """
        if not PROTOCOLS[cell.protocol].tunes or cell.source == TEMPLATE:
            return False
        return cell.source != SCRATCH or not self.starts_from_targets(cell.protocol, cell.method)

    def untrained(self, cell: Cell) -> bool:
        """Whether a cell applies the untrained prompt, or starts from it."""
        return cell.source == SCRATCH and not self.starts_from_targets(cell.protocol, cell.method)

    def starts_from_targets(self, protocol: str, method: str) -> bool:
        """Whether row `scratch` of a protocol is the targets' own source prompts."""
        return PROTOCOLS[protocol].tunes and self.target_settings(protocol, method) == self.settings(method)

    def draws(self, tasks: Sequence[str], seeds: Sequence[int] | None = None) -> list[Path]:
        """The few-shot draws of some tasks, of all seeds if none are named."""
        return [self.paths.draw(task, seed) for task in tasks for seed in (self.seeds if seeds is None else seeds)]

    def shots_of(self, task: str) -> int:
        """Training images per class that are wanted of a task: none of a mere target."""
        return self.shots if self.design.draws_from(task) else 0

    def provenance(self, method: str) -> dict[str, Any]:
        own, further = methods.revision(method), {"metrics": self.metric_code} if self.metric_code else {}
        further |= {} if self.usual_precision else {"precision": self.config["precision"]}
        return {"settings": self.settings(method), "numerics": NUMERICS_VERSION} | ({"revision": own} if own > 1 else {}) | further

    @property
    def usual_precision(self) -> bool:
        """Whether the frozen model computes as it does in studies that know of nothing else."""
        return self.config["precision"] == usual("precision")

    @cached_property
    def metric_code(self) -> dict[str, str]:
        """What those metrics were made from that come from plugins, if a task is scored by them."""
        every = METRICS.code()
        used = {self.data.entry(task).task.metric for task in self.data.real_tasks} if every else {}
        return {name: code for name, code in every.items() if name in used}

    @property
    def measure_provenance(self) -> dict[str, Any]:
        """Which measures of similarity there are and, of those from plugins, what they were made from."""
        chosen, every = self.config["similarity"], similarity.MEASURES.code()
        code = {one.name: every[one.name] for one in similarity.chosen(chosen) if one.name in every}
        return {"measures": chosen} | ({"code": code} if code else {})

    def asked(self, stage: str) -> dict[str, Any]:
        """What the jobs of a stage ask of a cluster, as far as the configuration says it."""
        return {key: self.config[key] for key in ("memory_mib", "minutes")} | self.config["resources"].get(stage, {})

    @property
    def gpus(self) -> int:
        """GPUs that a job wants which runs the frozen model."""
        return 0 if self.config["device"] == "cpu" else 1

    @property
    def description(self) -> dict[str, Any]:
        """The configuration as far as it says what is measured, not where or in which pieces, and what plugins were made from."""
        code, without = plugins.marks(), {"choice": not self.choice, "precision": self.usual_precision}  # as if there were no such key
        own = {key: value for key, value in self.config.items() if key not in (*WHERE, "pairs") and not without.get(key)}
        return own | ({"plugin_code": code} if code else {}) | ({"pairs": self.pairs.description} if self.pairs else {})
