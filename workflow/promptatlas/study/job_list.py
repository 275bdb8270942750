"""Which jobs a study consists of: each stage in pieces as the configuration's `jobs` says.

Results do not depend on how the work is cut. Knows nothing of torch, of Snakemake or of files.
"""

from collections.abc import Sequence
from functools import cached_property

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
from promptatlas.study.scope import Scope

TUNED_TARGETS = 5  # per job of protocol init where the configuration leaves it open


class Jobs:
    """The jobs of a study by stage."""

    def __init__(self, scope: Scope):
        self._scope = scope

    @cached_property
    def prepare(self) -> list[PrepareJob]:
        return [PrepareJob(f"prepare_{task}", task) for task in dict.fromkeys((*self._scope.design.given, *self._scope.tasks))]

    @property
    def draw(self) -> DrawJob:
        return DrawJob("draw")

    @cached_property
    def encode(self) -> list[EncodeJob]:
        pieces = chunks(self._scope.tasks, self._size("tasks"))
        return [EncodeJob(job_name("encode", chunk), chunk.items) for chunk in pieces]

    @cached_property
    def probe(self) -> list[ProbeJob]:
        pieces = chunks(self._scope.learners, self._size("tasks"))
        return [ProbeJob(job_name("probe", chunk), chunk.items) for chunk in pieces]

    @cached_property
    def tune(self) -> list[TuneJob]:
        return [
            TuneJob(job_name(f"tune_{method}", tasks, seeds), method, tasks.items, seeds.items)
            for method in self._scope.methods
            for seeds in chunks(self._scope.seeds, self._size("seeds"), "seed")
            for tasks in chunks(self._scope.learners, self._size("prompts"))
        ]

    @cached_property
    def share(self) -> list[ShareJob]:
        return [
            ShareJob(job_name(f"share_{method}", seeds), method, seeds.items)
            for method in self._scope.shared_methods
            for seeds in chunks(self._scope.seeds, self._size("seeds"), "seed")
        ]

    @cached_property
    def adapt(self) -> list[AdaptJob]:
        return [
            AdaptJob(job_name(f"adapt_{method}", tasks), method, tasks.items)
            for method in self._scope.adapter_methods
            for tasks in chunks(self._scope.tasks, self._size("tasks"))
        ]

    @cached_property
    def multitask(self) -> list[MultitaskJob]:
        size = self._size("prompts") if self._scope.multitask.leaves_one_out else "all"
        listed = self._scope.methods if self._scope.multitask.row else ()
        return [
            MultitaskJob(job_name(f"multitask_{method}", targets), method, targets.items)
            for method in listed
            for targets in chunks(self._scope.multitask.targets, size)
        ]

    @cached_property
    def joint(self) -> list[JointJob]:
        return [
            JointJob(f"joint_{method}", method, self._scope.multitask.targets)
            for method in (self._scope.methods if self._scope.multitask.joint else ())
        ]

    @cached_property
    def transfer(self) -> list[TransferJob]:
        jobs = [
            TransferJob(
                job_name(f"transfer_{protocol}_{method}", targets, sources, seeds), protocol, method,
                *self._measured(sources.items, targets.items), seeds.items, self._scope.design,
            )
            for protocol in self._scope.protocols
            for method in self._scope.cell_methods
            for seeds in chunks(self._scope.seeds, self._size("seeds"), "seed")
            for targets in chunks(self._scope.tasks, self._targets_per_job(protocol))
            for sources in chunks(self._scope.sources, self._size("sources"), "from_")
        ]  # fmt: skip
        return [job for job in jobs if job.targets]

    def _measured(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those of the sources and of the targets that have a cell with any of the others."""
        measures = self._scope.design.measures
        return (
            tuple(source for source in sources if any(measures(source, target) for target in targets)),
            tuple(target for target in targets if any(measures(source, target) for source in sources)),
        )

    def _size(self, kind: str) -> int | str:
        return self._scope.config["jobs"][f"{kind}_per_job"]

    def _targets_per_job(self, protocol: str) -> int | str:
        """Tuning from every source takes so long that cores would wait at the end for the one with the most to do."""
        size = self._size("targets")
        return size if size != "auto" else TUNED_TARGETS if protocol == "init" else "all"

    @property
    def every(self) -> tuple[Job, ...]:
        return (
            *self.prepare, self.draw, *self.encode, *self.probe, *self.tune, *self.share,
            *self.adapt, *self.multitask, *self.joint, *self.transfer,
        )  # fmt: skip

    def named(self, name: str) -> Job:
        """The job of that name."""
        return next(job for job in self.every if job.name == name)
