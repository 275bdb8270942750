"""A study: what it is about (`scope`), the jobs that do it, and the files that each reads and writes.

Knows nothing of torch, Snakemake or what is in the files.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from promptatlas.evaluation import similarity
from promptatlas.records.cells import Cell
from promptatlas.study.designs import FEW_SHOT, MATRIX
from promptatlas.study.job_list import Jobs
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
from promptatlas.study.multitask import AVERAGE
from promptatlas.study.scope import Scope
from promptatlas.tasks import halves

TABLES = ("transfer", "baselines", "methods", "tuning", "tasks", "shared_images")
EXPLAINED = {MATRIX: ("similarity", "statistics"), FEW_SHOT: ()}
PRINTED = ("protocol",)


class Study(Scope):
    """Everything that can be said about a study before anything is computed."""

    def __init__(self, config: dict[str, Any]):
        super().__init__(config)
        self.jobs = Jobs(self)

    @cached_property
    def cells(self) -> list[Cell]:
        return [cell for job in self.jobs.transfer for cell in job.cells()]

    # What a job reads, writes and tells, and what makes its results stale beside what it reads

    def outputs(self, job: Job) -> list[Path]:
        """What a job is there for; of a prepared task the record, which says whether the arrays beside it are whole."""
        if isinstance(job, PrepareJob):
            return self.paths.task_records([job.task])
        if isinstance(job, DrawJob):
            return self.draws
        if isinstance(job, EncodeJob):
            return [self.paths.encoded(task) for task in job.tasks]
        if isinstance(job, ProbeJob):
            return [self.paths.probe(task) for task in job.tasks]
        if isinstance(job, TuneJob):
            return [self.paths.prompt(job.method, seed, task) for task in job.tasks for seed in job.seeds]
        if isinstance(job, ShareJob):
            learners, prompts = self.learned_together(job.method, job.seeds), self.prompts_given(job.method, job.seeds)
            return [*learners, *prompts, *self._scores(job.method, job.seeds, self.tasks)]
        if isinstance(job, AdaptJob):
            return self._scores(job.method, self.seeds, job.tasks)
        if isinstance(job, MultitaskJob):
            return self._multitask_outputs(job)
        if isinstance(job, JointJob):
            return self._joint_outputs(job)
        return [self.paths.cell(cell) for cell in job.cells()]

    @property
    def prepared(self) -> list[Path]:
        return [path for job in self.jobs.prepare for path in self.paths.prepared_files(job.task)]

    @property
    def draws(self) -> list[Path]:
        return [self.paths.draw(task, seed) for task in self.learners for seed in self.seeds]

    @property
    def draw_inputs(self) -> list[Path]:
        """A part is drawn as the whole task is."""
        return self.paths.task_records([*dict.fromkeys([*self.learners, *map(halves.whole_of, self.learners)])])

    def _scores(self, method: str, seeds: Sequence[int], tasks: Sequence[str]) -> list[Path]:
        return [self.paths.score(method, seed, task) for seed in seeds for task in tasks]

    def _multitask_outputs(self, job: MultitaskJob) -> list[Path]:
        every = (*self.seeds, *((AVERAGE,) if self.multitask.options["average_seeds"] else ()))
        paths = [self.paths.multitask_prompt(job.method, which, target) for target in job.targets for which in every]
        return list(dict.fromkeys(paths))

    def _joint_outputs(self, job: JointJob) -> list[Path]:
        return [
            self.paths.joint_score(job.method, source, adaptation, seed, task)
            for source in self.multitask.sources
            for adaptation in ("single", "joint")
            for seed in self.seeds
            for task in job.tasks
        ]

    def learned_together(self, method: str, seeds: Sequence[int]) -> list[Path]:
        return [self.paths.shared(method, seed) for seed in seeds]

    def prompts_given(self, method: str, seeds: Sequence[int]) -> list[Path]:
        """A prompt for each task, if the learners of all tasks give all classes of a task one context."""
        settings = self.settings(method)
        if settings.get("class_context", "none") != "none" or settings.get("sharing") == "class":
            return []
        return [self.paths.prompt(method, seed, task) for seed in seeds for task in self.tasks]

    @property
    def all_scores(self) -> list[Path]:
        """Everything that jobs beside the matrix make."""
        jobs: list[Job] = [*self.jobs.share, *self.jobs.adapt]
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
        paths = [self.paths.adapter_prompt(source, seed, task) for task in job.tasks for seed in self.seeds] if source else []
        return list(dict.fromkeys(paths))

    def tuning_draws(self, job: TuneJob | ProbeJob | ShareJob | AdaptJob) -> list[Path]:
        tasks, seeds = getattr(job, "tasks", self.tasks), getattr(job, "seeds", self.seeds)
        return [self.paths.draw(task, seed) for task in tasks for seed in seeds]

    def preparation_inputs(self, task: str) -> list[Path]:
        """Embedded tasks need nothing; others their data and the model's picture size."""
        return [] if self.data.is_embedded(task) else [self.paths.architecture]

    @property
    def all_prompts(self) -> list[Path]:
        return [path for job in self.jobs.tune for path in self.outputs(job)]

    @property
    def comparison_inputs(self) -> list[Path]:
        """The indices of what tasks are compared by: their features, and their prompts if a measure of similarity needs any."""
        tuned = self.jobs.tune if "prompts" in similarity.needs(self.config["similarity"]) else ()
        return [self.paths.index(job.name) for job in (*self.jobs.encode, *tuned)]

    @property
    def all_cells(self) -> list[Path]:
        return [self.paths.cell(cell) for cell in self.cells]

    def transfer_inputs(self, job: TransferJob) -> list[Path]:
        """The indices of the source prompts and of the targets' features, and where row `scratch` needs them of the targets' prompts."""
        own = job.protocol == "init" and self.starts_from_targets(job.method)
        prompts = {*job.sources, *(job.targets if own else ())}
        tuned = [
            one for one in self.jobs.tune
            if one.method == job.method and prompts & {*one.tasks} and {*job.seeds} & {*one.seeds}
        ]  # fmt: skip
        encoded = [one for one in self.jobs.encode if {*job.targets} & {*one.tasks}]
        shared = [
            one for one in self.jobs.multitask
            if one.method == job.method and self.multitask.row in job.sources and {*job.targets} & {*one.targets}
        ]  # fmt: skip
        needed: list[Job] = [*tuned, *shared, *encoded]
        return [self.paths.index(one.name) for one in needed]

    def joint_inputs(self, job: JointJob) -> list[Path]:
        """The indices of all prompts of a method that adaptation starts from or is compared with, and of the features."""
        tuned = [one for one in self.jobs.tune if one.method == job.method]
        shared = [one for one in self.jobs.multitask if one.method == job.method]
        needed: list[Job] = [*tuned, *shared, *self.jobs.encode]
        return [self.paths.index(one.name) for one in needed]

    @property
    def tables(self) -> list[Path]:
        explained = EXPLAINED.get(self.design.name, PRINTED)
        shared = ("joint",) if self.multitask.joint else ()
        return [path for name in (*TABLES, *explained, *shared) for path in self.paths.table(name)]

    @property
    def conclusions(self) -> list[Path]:
        """What is made of the tables."""
        figures = [self.paths.figures] if self.design.name in EXPLAINED else []
        return [self.paths.summary, self.paths.report, self.paths.provenance_file, *figures]

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
