"""A study: from the configuration to what is measured, the jobs that do it, and the files that each reads and writes.

Knows nothing of torch, Snakemake or what is in the files.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from os.path import expanduser
from pathlib import Path
from typing import Any

from promptatlas import methods
from promptatlas.backbone.kinds import LOCAL, MINI
from promptatlas.backbone.origin import origin
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records.cells import Cell
from promptatlas.study.configuration import complete
from promptatlas.study.designs import Design, design
from promptatlas.study.job_list import JobList
from promptatlas.study.jobs import (
    AdaptJob,
    DrawJob,
    EncodeJob,
    Job,
    JointJob,
    MultitaskJob,
    PrepareJob,
    ProbeJob,
    ShareJob,
    TransferJob,
    TuneJob,
)
from promptatlas.study.layout import Layout
from promptatlas.study.multitask_names import MULTITASK
from promptatlas.study.relative_folders import tidy
from promptatlas.tasks import catalogue, halves
from promptatlas.tasks.task import Task

ZERO_SHOT, TEMPLATE = "zero_shot", "template"
WHERE = ("results", "data_root", "download", "jobs", "device", "deterministic", "memory_mib", "minutes", "only")


class Study(Layout, JobList):
    """Everything that can be said about a study before anything is computed."""

    def __init__(self, config: dict[str, Any]):
        self.config = complete(config)
        self.name: str = self.config["study"]
        self.folder = Path(self.config["results"]) / self.name
        self.design: Design = design(self.config)
        self.tasks: tuple[str, ...] = self.design.tasks
        self.learners: tuple[str, ...] = self.design.learners
        self.methods: tuple[str, ...] = self._used("prompt")
        self.shared_methods: tuple[str, ...] = self._used("shared")
        self.adapter_methods: tuple[str, ...] = self._used("adapter")
        self.protocols: tuple[str, ...] = tuple(self.config["protocols"])
        self.seeds: tuple[int, ...] = tuple(self.config["seeds"])
        self.shots: int = self.config["shots"]
        self.sources: tuple[str, ...] = (*self.learners, *self.config["calibration"]) if self.methods else (TEMPLATE,)
        if self.multitask:
            self.sources = (*self.sources, self.multitask)

    def _used(self, kind: str) -> tuple[str, ...]:
        """The methods of one kind that are listed, or that a listed one builds upon."""
        return tuple(method for method in self.config["settings"] if methods.kind(method) == kind)

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

    def is_embedded(self, task: str) -> bool:
        """Whether promptatlas draws the pictures itself."""
        return halves.whole_of(task) in catalogue.names("mini")

    @property
    def real_tasks(self) -> list[str]:
        return [task for task in self.design.given if not self.is_embedded(task)]

    def entry(self, task: str) -> catalogue.Entry:
        """What the catalogue and the configuration say of a task that is not embedded.

        Folders in the configuration start from where Snakemake runs (`relative_folders` has seen to that), those of the catalogue from
        `data_root`.
        """
        given = self.config["data"].get(task, {})
        folders = {key: str(tidy(Path(expanduser(given[key])).absolute())) for key in ("folder", "root") if key in given}
        return catalogue.described(task, given | folders)

    @cached_property
    def found(self) -> dict[str, dict[str, Any]] | None:
        """By task which of its sources was found; None before anything was."""
        try:
            return json.loads(self.fetched.read_bytes())["tasks"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError):
            return {}

    def source(self, task: str) -> dict[str, Any] | None:
        """The source of a task's data that was found, as it is described now; None if it is to be found anew."""
        number, sources = (self.found or {}).get(task, {}).get("source"), self.entry(task).sources
        return sources[number] if isinstance(number, int) and number < len(sources) else None

    def resize_of(self, task: str) -> str:
        """How the pictures of a task are fitted to the model; drawn ones are square."""
        return "squash" if self.is_embedded(task) else self.entry(task).resize or self.config["resize"]

    @property
    def data_root(self) -> Path:
        return Path(expanduser(self.config["data_root"]))

    @property
    def is_published_backbone(self) -> bool:
        return self.config["backbone"]["model"] != "mini"

    @property
    def needs_fetching(self) -> bool:
        return bool(self.real_tasks) or self.is_published_backbone

    def settings(self, method: str) -> dict[str, Any]:
        return self.config["settings"][method]

    def init_settings(self, method: str) -> dict[str, Any]:
        """The method's settings with the number of epochs of protocol init."""
        settings, epochs = self.settings(method), self.config["init"]["epochs"]
        return settings if epochs == "method" else settings | {"epochs": epochs}

    def tunes(self, cell: Cell) -> bool:
        """Whether the prompt of a cell is tuned where it is measured, and not before.

        With protocol init every prompt is, but one from scratch that is tuned as long as the target's source prompt: it is that one.
        """
        if cell.protocol != "init" or cell.source == TEMPLATE:
            return False
        return cell.source != "scratch" or not self.starts_from_targets(cell.method)

    def starts_from_targets(self, method: str) -> bool:
        """Whether row `scratch` of protocol init is the targets' own source prompts."""
        return self.init_settings(method) == self.settings(method)

    @property
    def backbone_name(self) -> str:
        """How the tables call the frozen model."""
        model, pretrained = self.config["backbone"]["model"], self.config["backbone"]["pretrained"]
        if model.startswith(LOCAL):
            return Path(model.removeprefix(LOCAL)).name
        return model if pretrained == model else f"{model}/{Path(pretrained).name}"

    @property
    def backbone_sources(self) -> list[Path]:
        """Files on this machine that the backbone is made from: a change of theirs makes it stale."""
        model, pretrained = self.config["backbone"]["model"], self.config["backbone"]["pretrained"]
        if self.is_published_backbone:
            return origin(model, pretrained).files
        folder = MINI if pretrained == "mini" else Path(pretrained)
        return [folder / "mini.safetensors", folder / "config.json"]

    @property
    def gpus(self) -> int:
        """GPUs that a job wants which runs the frozen model."""
        return 0 if self.config["device"] == "cpu" else 1

    @property
    def weights(self) -> str:
        """The frozen model as others name it: the activation follows from the weights."""
        return "{model}/{pretrained}".format(**self.config["backbone"]).replace("-quickgelu/", "/")

    @property
    def description(self) -> dict[str, Any]:
        """The configuration as far as it says what is measured, not where or in which pieces."""
        return {key: value for key, value in self.config.items() if key not in WHERE}

    @cached_property
    def cells(self) -> list[Cell]:
        return [cell for job in self.transfer_jobs for cell in job.cells()]

    # What a job reads, writes and tells, and what makes its results stale beside what it reads

    def outputs(self, job: Job) -> list[Path]:
        """What a job is there for; of a prepared task the record, which says whether the arrays beside it are whole."""
        if isinstance(job, PrepareJob):
            return self.task_records([job.task])
        if isinstance(job, DrawJob):
            return self.draws
        if isinstance(job, EncodeJob):
            return [self.encoded(task) for task in job.tasks]
        if isinstance(job, ProbeJob):
            return [self.probe(task) for task in job.tasks]
        if isinstance(job, TuneJob):
            return [self.prompt(job.method, seed, task) for task in job.tasks for seed in job.seeds]
        if isinstance(job, ShareJob):
            learners, prompts = self.learned_together(job.method, job.seeds), self.prompts_given(job.method, job.seeds)
            return [*learners, *prompts, *self._scores(job.method, job.seeds, self.tasks)]
        if isinstance(job, AdaptJob):
            return self._scores(job.method, self.seeds, job.tasks)
        if isinstance(job, MultitaskJob):
            return self.multitask_outputs(job)
        if isinstance(job, JointJob):
            return self.joint_outputs(job)
        return [self.cell(cell) for cell in job.cells()]

    def task_records(self, tasks: Sequence[str]) -> list[Path]:
        """What changes when any picture or label of a task changes."""
        return [self.task_folder(task) / "task.json" for task in tasks]

    @property
    def prepared(self) -> list[Path]:
        return [path for job in self.prepare_jobs for path in self.prepared_files(job.task)]

    def prepared_files(self, task: str) -> list[Path]:
        return self.part_files(task) if halves.part_of(task) else [*self.task_files(task), self.factors(task)]

    @property
    def draws(self) -> list[Path]:
        return [self.draw(task, seed) for task in self.learners for seed in self.seeds]

    @property
    def draw_inputs(self) -> list[Path]:
        """A part is drawn as the whole task is."""
        return self.task_records([*dict.fromkeys([*self.learners, *map(halves.whole_of, self.learners)])])

    def _scores(self, method: str, seeds: Sequence[int], tasks: Sequence[str]) -> list[Path]:
        return [self.score(method, seed, task) for seed in seeds for task in tasks]

    def learned_together(self, method: str, seeds: Sequence[int]) -> list[Path]:
        return [self.shared(method, seed) for seed in seeds]

    def prompts_given(self, method: str, seeds: Sequence[int]) -> list[Path]:
        """A prompt for each task, if the learners of all tasks give all classes of a task one context."""
        settings = self.settings(method)
        if settings.get("class_context", "none") != "none" or settings.get("sharing") == "class":
            return []
        return [self.prompt(method, seed, task) for seed in seeds for task in self.tasks]

    @property
    def all_scores(self) -> list[Path]:
        """Everything that jobs beside the matrix make."""
        jobs: list[Job] = [*self.share_jobs, *self.adapt_jobs]
        return [path for job in jobs for path in self.outputs(job)]

    @property
    def score_records(self) -> list[Path]:
        return [
            path for method in (*self.shared_methods, *self.adapter_methods)
            for path in self._scores(method, self.seeds, self.tasks)
        ]  # fmt: skip

    def adapter_inputs(self, job: AdaptJob) -> list[Path]:
        """What an adapter's class weights come from, where that is not the templates."""
        source = self.settings(job.method).get("class_weights")
        if source in self.shared_methods:
            return self.learned_together(source, self.seeds)
        paths = [self.adapter_prompt(source, seed, task) for task in job.tasks for seed in self.seeds] if source else []
        return list(dict.fromkeys(paths))

    def adapter_prompt(self, source: str, seed: int, task: str) -> Path:
        """The prompt that gives an adapter its class weights: a method's own of the task, or CoOp's of many tasks."""
        return self.multitask_source("coop", seed, task) if source == MULTITASK else self.prompt(source, seed, task)

    def tuning_draws(self, job: TuneJob | ProbeJob | ShareJob | AdaptJob) -> list[Path]:
        tasks, seeds = getattr(job, "tasks", self.tasks), getattr(job, "seeds", self.seeds)
        return [self.draw(task, seed) for task in tasks for seed in seeds]

    def preparation_inputs(self, task: str) -> list[Path]:
        """Embedded tasks need nothing; others their data and the model's picture size."""
        return [] if self.is_embedded(task) else [self.architecture]

    def shots_of(self, task: str) -> int:
        """Training pictures per class that are wanted of a task: none of a mere target."""
        return self.shots if self.design.draws_from(task) else 0

    @property
    def all_prompts(self) -> list[Path]:
        return [path for job in self.tune_jobs for path in self.outputs(job)]

    @property
    def all_cells(self) -> list[Path]:
        return [self.cell(cell) for cell in self.cells]

    def transfer_inputs(self, job: TransferJob) -> list[Path]:
        """The indices of the source prompts and of the targets' features, and where row `scratch` needs them of the targets' prompts."""
        own = job.protocol == "init" and self.starts_from_targets(job.method)
        prompts = {*job.sources, *(job.targets if own else ())}
        tuned = [
            one for one in self.tune_jobs
            if one.method == job.method and prompts & {*one.tasks} and {*job.seeds} & {*one.seeds}
        ]  # fmt: skip
        encoded = [one for one in self.encode_jobs if {*job.targets} & {*one.tasks}]
        shared = [
            one for one in self.multitask_jobs
            if one.method == job.method and self.multitask in job.sources and {*job.targets} & {*one.targets}
        ]  # fmt: skip
        needed: list[Job] = [*tuned, *shared, *encoded]
        return [self.index(one.name) for one in needed]

    def joint_inputs(self, job: JointJob) -> list[Path]:
        """The indices of all prompts of a method that adaptation starts from or is compared with, and of the features."""
        tuned = [one for one in self.tune_jobs if one.method == job.method]
        shared = [one for one in self.multitask_jobs if one.method == job.method]
        needed: list[Job] = [*tuned, *shared, *self.encode_jobs]
        return [self.index(one.name) for one in needed]

    def provenance(self, method: str) -> dict[str, Any]:
        own = methods.revision(method)
        return {"settings": self.settings(method), "numerics": NUMERICS_VERSION} | ({"revision": own} if own > 1 else {})

    def transfer_provenance(self, job: TransferJob) -> dict[str, Any]:
        tuned = {"init_settings": self.init_settings(job.method)} if job.protocol == "init" else {}
        return self.provenance(job.method) | tuned

    def tuning_message(self, job: TuneJob) -> str:
        return f"Tune {job.method}: {len(job.tasks) * len(job.seeds)} prompts; what still holds is kept"

    def scores_message(self, job: ShareJob | AdaptJob) -> str:
        verb = "Learn together" if isinstance(job, ShareJob) else "Adapt"
        return f"{verb} {job.method}: {len(self.outputs(job))} results; what still holds is kept"

    def transfer_message(self, job: TransferJob) -> str:
        return f"Transfer {job.method} ({job.protocol}): {sum(1 for _ in job.cells())} cells; what still holds is kept"
