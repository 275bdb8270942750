"""Which jobs a study consists of: a part of `study`, which says what it measures.

Results do not depend on how the work is cut. Knows nothing of torch, of Snakemake or of files.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

from promptatlas.study.designs import Design
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
    chunks,
    job_name,
)
from promptatlas.study.multitask_names import Unions

TUNED_TARGETS = 5  # per job of protocol init where the configuration leaves it open


class JobList(Unions):
    """The jobs by stage, each stage in pieces as the configuration's `jobs` says."""

    design: Design
    learners: tuple[str, ...]
    sources: tuple[str, ...]
    shared_methods: tuple[str, ...]
    adapter_methods: tuple[str, ...]
    protocols: tuple[str, ...]

    @property
    @abstractmethod
    def cell_methods(self) -> tuple[str, ...]:
        """The methods whose prompts are measured on targets; the study knows them."""

    @cached_property
    def prepare_jobs(self) -> list[PrepareJob]:
        return [PrepareJob(f"prepare_{task}", task) for task in dict.fromkeys((*self.design.given, *self.tasks))]

    @property
    def draw_job(self) -> DrawJob:
        return DrawJob("draw")

    @cached_property
    def encode_jobs(self) -> list[EncodeJob]:
        pieces = chunks(self.tasks, self._size("tasks"))
        return [EncodeJob(job_name("encode", chunk), chunk.items) for chunk in pieces]

    @cached_property
    def probe_jobs(self) -> list[ProbeJob]:
        pieces = chunks(self.learners, self._size("tasks"))
        return [ProbeJob(job_name("probe", chunk), chunk.items) for chunk in pieces]

    @cached_property
    def tune_jobs(self) -> list[TuneJob]:
        return [
            TuneJob(job_name(f"tune_{method}", tasks, seeds), method, tasks.items, seeds.items)
            for method in self.methods
            for seeds in chunks(self.seeds, self._size("seeds"), "seed")
            for tasks in chunks(self.learners, self._size("prompts"))
        ]

    @cached_property
    def share_jobs(self) -> list[ShareJob]:
        return [
            ShareJob(job_name(f"share_{method}", seeds), method, seeds.items)
            for method in self.shared_methods
            for seeds in chunks(self.seeds, self._size("seeds"), "seed")
        ]

    @cached_property
    def adapt_jobs(self) -> list[AdaptJob]:
        return [
            AdaptJob(job_name(f"adapt_{method}", tasks), method, tasks.items)
            for method in self.adapter_methods
            for tasks in chunks(self.tasks, self._size("tasks"))
        ]

    @cached_property
    def multitask_jobs(self) -> list[MultitaskJob]:
        size = self._size("prompts") if self.leaves_one_out else "all"
        return [
            MultitaskJob(job_name(f"multitask_{method}", targets), method, targets.items)
            for method in (self.methods if self.multitask else ())
            for targets in chunks(self.multitask_targets, size)
        ]

    @cached_property
    def joint_jobs(self) -> list[JointJob]:
        return [JointJob(f"joint_{method}", method, self.multitask_targets) for method in (self.methods if self.joint else ())]

    @cached_property
    def transfer_jobs(self) -> list[TransferJob]:
        jobs = [
            TransferJob(
                job_name(f"transfer_{protocol}_{method}", targets, sources, seeds), protocol, method,
                *self._measured(sources.items, targets.items), seeds.items, self.design,
            )
            for protocol in self.protocols
            for method in self.cell_methods
            for seeds in chunks(self.seeds, self._size("seeds"), "seed")
            for targets in chunks(self.tasks, self._targets_per_job(protocol))
            for sources in chunks(self.sources, self._size("sources"), "from_")
        ]  # fmt: skip
        return [job for job in jobs if job.targets]

    def _measured(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those of the sources and of the targets that have a cell with any of the others."""
        measures = self.design.measures
        return (
            tuple(source for source in sources if any(measures(source, target) for target in targets)),
            tuple(target for target in targets if any(measures(source, target) for source in sources)),
        )

    def _size(self, kind: str) -> int | str:
        return self.config["jobs"][f"{kind}_per_job"]

    def _targets_per_job(self, protocol: str) -> int | str:
        """Tuning from every source takes so long that cores would wait at the end for the one with the most to do."""
        size = self._size("targets")
        return size if size != "auto" else TUNED_TARGETS if protocol == "init" else "all"

    @property
    def every_job(self) -> tuple[Job, ...]:
        return (
            *self.prepare_jobs, self.draw_job, *self.encode_jobs, *self.probe_jobs, *self.tune_jobs, *self.share_jobs,
            *self.adapt_jobs, *self.multitask_jobs, *self.joint_jobs, *self.transfer_jobs,
        )  # fmt: skip

    def job(self, name: str) -> Job:
        """The job of that name."""
        return next(job for job in self.every_job if job.name == name)
