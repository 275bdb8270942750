"""Which jobs a study consists of: each stage in pieces as the configuration's `jobs` says, or in shares for several devices (`shares`).

Results do not depend on how the work is cut. Knows nothing of torch, of Snakemake or of files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from promptatlas.study import shares
from promptatlas.study.jobs import (
    AdaptJob,
    ComputeJob,
    DrawJob,
    EncodeJob,
    Job,
    JointJob,
    MultitaskJob,
    PrepareJob,
    ProbeJob,
    ShareJob,
    TransferJob,
    TryJob,
    TuneJob,
)
from promptatlas.study.protocols import FROZEN, PROTOCOLS
from promptatlas.study.scope import Scope
from promptatlas.study.sizes import Size, described

ALL, AUTO = "all", "auto"
TASKS_PER_JOB = 10  # of one device: while some are encoded, prompts are tuned on others
Chain = TypeVar("Chain", bound=Hashable)


class Jobs:
    """The jobs of a study by stage."""

    def __init__(self, scope: Scope):
        self._scope = scope

    @cached_property
    def prepare(self) -> list[PrepareJob]:
        """A job for each task as configured and for its base and new classes where these are measured on."""
        return [PrepareJob(self._scope, f"prepare_{task}", task) for task in dict.fromkeys((*self._scope.design.given, *self._scope.tasks))]

    @property
    def draw(self) -> DrawJob:
        return DrawJob(self._scope, "draw")

    @cached_property
    def encode(self) -> list[EncodeJob]:
        pieces = self._cut("tasks", {"": self._scope.tasks}, lambda _, tasks: EncodeJob(self._scope, "", tasks), TASKS_PER_JOB)
        return [EncodeJob(self._scope, job_name("encode", chunk), chunk.items) for chunk in pieces[""]]

    @cached_property
    def probe(self) -> list[ProbeJob]:
        pieces = self._cut("tasks", {"": self._scope.learners}, lambda _, tasks: ProbeJob(self._scope, "", tasks), TASKS_PER_JOB)
        return [ProbeJob(self._scope, job_name("probe", chunk), chunk.items) for chunk in pieces[""]]

    @cached_property
    def tune(self) -> list[TuneJob]:
        def alone(method: str, tasks: tuple[str, ...]) -> TuneJob:
            return TuneJob(self._scope, "", method, tasks, self._scope.seeds)

        every = chunks(self._scope.seeds, self._size("seeds"), "seed")
        chains = {method: self._scope.trained_on(method) for method in self._scope.methods}
        pieces = self._cut("prompts", chains, alone, others=len(every))
        return [
            TuneJob(self._scope, job_name(f"tune_{method}", tasks, seeds), method, tasks.items, seeds.items)
            for method in self._scope.methods
            for seeds in every
            for tasks in pieces[method]
        ]

    @cached_property
    def share(self) -> list[ShareJob]:
        return [
            ShareJob(self._scope, job_name(f"share_{method}", seeds), method, seeds.items)
            for method in self._scope.shared_methods
            for seeds in chunks(self._scope.seeds, self._size("seeds"), "seed")
        ]

    @cached_property
    def adapt(self) -> list[AdaptJob]:
        def alone(method: str, tasks: tuple[str, ...]) -> AdaptJob:
            return AdaptJob(self._scope, "", method, tasks)

        pieces = self._cut("tasks", dict.fromkeys(self._scope.adapter_methods, self._scope.tasks), alone, TASKS_PER_JOB)
        return [
            AdaptJob(self._scope, job_name(f"adapt_{method}", tasks), method, tasks.items)
            for method in self._scope.adapter_methods
            for tasks in pieces[method]
        ]

    @cached_property
    def multitask(self) -> list[MultitaskJob]:
        def alone(method: str, targets: tuple[str, ...]) -> MultitaskJob:
            return MultitaskJob(self._scope, "", method, targets)

        listed = self._scope.methods if self._scope.multitask.row else ()
        chains = dict.fromkeys(listed, self._scope.multitask.targets)
        each = self._scope.multitask.leaves_one_out
        pieces = self._cut("prompts", chains, alone) if each else {method: chunks(targets, ALL) for method, targets in chains.items()}
        return [
            MultitaskJob(self._scope, job_name(f"multitask_{method}", targets), method, targets.items)
            for method in listed
            for targets in pieces[method]
        ]

    @cached_property
    def joint(self) -> list[JointJob]:
        return [
            JointJob(self._scope, f"joint_{method}", method, self._scope.multitask.targets, self._all_needs(method))
            for method in (self._scope.methods if self._scope.multitask.joint else ())
        ]

    def _all_needs(self, method: str) -> tuple[str, ...]:
        """Who makes the prompts of a method and the features of all tasks."""
        tuned = [job.name for job in self.tune if job.method == method]
        several = [job.name for job in self.multitask if job.method == method]
        return (*tuned, *several, *(job.name for job in self.encode))

    @cached_property
    def transfer(self) -> list[TransferJob]:
        def alone(chain: tuple[str, str], targets: tuple[str, ...]) -> TransferJob:
            protocol, method = chain
            return TransferJob(self._scope, "", method, protocol, self._scope.sources, targets, self._scope.seeds, ())

        chains = [(protocol, method) for protocol in self._scope.protocols for method in self._scope.cell_methods]
        every = chunks(self._scope.seeds, self._size("seeds"), "seed")
        applied = chunks(self._scope.sources, self._size("sources"), "from_")

        def usual(chain: tuple[str, str]) -> int | str:
            return PROTOCOLS[chain[0]].targets_per_job

        pieces = self._cut("targets", dict.fromkeys(chains, self._scope.tasks), alone, usual, len(every) * len(applied))
        return [
            TransferJob(
                self._scope, job_name(f"transfer_{protocol}_{method}", targets, sources, seeds), method, protocol,
                *tried, seeds.items, self._needs(protocol, method, *tried, seeds.items),
            )
            for protocol, method in chains
            for seeds in every
            for targets in pieces[protocol, method]
            for sources in applied
            if all(tried := self._measured(protocol, method, sources.items, targets.items))
        ]  # fmt: skip

    @cached_property
    def tries(self) -> list[TryJob]:
        def alone(method: str, targets: tuple[str, ...]) -> TryJob:
            return TryJob(self._scope, "", method, targets, ())

        tried = self._scope.methods if self._scope.tries else ()
        pieces = self._cut("targets", dict.fromkeys(tried, self._scope.tasks), alone, PROTOCOLS[FROZEN.name].targets_per_job)
        return [
            TryJob(self._scope, job_name(f"try_{method}", targets), method, targets.items, self._needs_of_tries(method, targets.items))
            for method in tried
            for targets in pieces[method]
        ]

    def _needs_of_tries(self, method: str, targets: tuple[str, ...]) -> tuple[str, ...]:
        """Who makes all prompts of a method and the features of some targets."""
        return self._needs(FROZEN.name, method, self._scope.learners, targets, self._scope.seeds)

    def _needs(
        self, protocol: str, method: str, sources: tuple[str, ...], targets: tuple[str, ...], seeds: tuple[int, ...]
    ) -> tuple[str, ...]:
        """Who makes the source prompts, the targets' features and, where row `scratch` needs them, the targets' prompts."""
        own = self._scope.starts_from_targets(protocol, method)
        prompts = [self._tuned.get((method, task, seed)) for task in (*sources, *(targets if own else ())) for seed in seeds]
        several = [self._tuned_on_many.get((method, target)) for target in targets] if self._scope.multitask.row in sources else []
        encoded = [self._encoded[target] for target in targets]
        return tuple(dict.fromkeys(name for name in (*prompts, *several, *encoded) if name))

    @cached_property
    def _tuned(self) -> dict[tuple[str, str, int], str]:
        return {(job.method, task, seed): job.name for job in self.tune for task in job.tasks for seed in job.seeds}

    @cached_property
    def _tuned_on_many(self) -> dict[tuple[str, str], str]:
        return {(job.method, target): job.name for job in self.multitask for target in job.targets}

    @cached_property
    def _encoded(self) -> dict[str, str]:
        return {task: job.name for job in self.encode for task in job.tasks}

    def _measured(
        self, protocol: str, method: str, sources: Sequence[str], targets: Sequence[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those of the sources and of the targets that have a cell with any of the others."""
        measures = partial(self._scope.has_cells, protocol, method)
        return (
            tuple(source for source in sources if any(measures(source, target) for target in targets)),
            tuple(target for target in targets if any(measures(source, target) for source in sources)),
        )

    def _size(self, kind: str) -> int | str:
        return self._scope.config["jobs"][f"{kind}_per_job"]

    def _cut(
        self,
        kind: str,
        chains: Mapping[Chain, Sequence[str]],
        alone: Callable[[Chain, tuple[str, ...]], Job],
        usual: int | str | Callable[[Chain], int | str] = ALL,
        others: int = 1,
    ) -> dict[Chain, list[Chunk]]:
        """The pieces of each chain of a stage, such as a method, into which its tasks are cut.

        alone: the job of some tasks of a chain, of all seeds and sources; usual: how many tasks a piece has for one device; others: into
        how many jobs each piece is cut besides, by seeds or sources.
        """
        size, devices = self._size(kind), self._scope.config["jobs"]["devices"]
        if size != AUTO or devices == 1:
            open_size = usual if callable(usual) else lambda _: usual
            return {chain: chunks(tasks, open_size(chain) if size == AUTO else size) for chain, tasks in chains.items()}
        weights = {chain: [shares.weight(alone(chain, (task,)).cost(self.sizes)) for task in tasks] for chain, tasks in chains.items()}
        counts = shares.counts({chain: sum(own) for chain, own in weights.items()}, devices, others)
        return {chain: labelled(tasks, shares.cut(weights[chain], counts[chain])) for chain, tasks in chains.items()}

    @cached_property
    def sizes(self) -> dict[str, Size]:
        """Of all tasks that are measured on, by their descriptions."""
        return {task: described(self._scope, task) for task in self._scope.tasks}

    @cached_property
    def first(self) -> list[TransferJob]:
        """Those of the first matrix: of the protocol and the method that are named first."""
        named = (self._scope.protocols[:1], self._scope.methods[:1])
        return [job for job in self.transfer if ((job.protocol,), (job.method,)) == named]

    @cached_property
    def _urgent(self) -> dict[str, int]:
        """Prompts take longer than features, so they come first of what the first matrix waits for."""
        needed = {name for job in self.first for name in (job.name, *job.needs)}
        return dict.fromkeys((job.name for job in self.encode), 1) | dict.fromkeys({self.draw.name, *needed} - {*self._encoded.values()}, 2)

    def priority(self, name: str) -> int:
        """Which of several jobs that could start is to start first: the one with the larger number. Nothing waits for a job with a
        larger one that cannot start yet."""
        return self._urgent.get(name, 0)

    @property
    def compute(self) -> tuple[ComputeJob, ...]:
        """Each behind those whose results it reads."""
        return (
            self.draw, *self.encode, *self.probe, *self.tune, *self.share, *self.multitask, *self.adapt, *self.transfer, *self.tries,
            *self.joint,
        )  # fmt: skip

    @cached_property
    def stages(self) -> dict[str, list[ComputeJob]]:
        """The jobs of each stage, in order."""
        found: dict[str, list[ComputeJob]] = {}
        for job in self.compute:
            found.setdefault(job.stage, []).append(job)
        return found

    @property
    def every(self) -> tuple[Job, ...]:
        return (*self.prepare, *self.compute)

    def preparing(self, task: str) -> PrepareJob:
        """The job that prepares a task."""
        return next(job for job in self.prepare if job.task == task)

    def named(self, name: str) -> Job:
        """The job of that name."""
        return next(job for job in self.every if job.name == name)


@dataclass(frozen=True)
class Chunk:
    """Some of many items, and what tells it from the other pieces."""

    items: tuple
    label: str


def chunks(items: Sequence, size: int | str, prefix: str = "") -> list[Chunk]:
    """Consecutive pieces of `items`, as large as `size` says."""
    each = max(1, len(items)) if size == ALL else int(size)
    return labelled(items, [min(start + each, len(items)) for start in range(0, len(items), each)], prefix)


def labelled(items: Sequence[Any], ends: Sequence[int], prefix: str = "") -> list[Chunk]:
    """Consecutive pieces of `items` that end there; a piece is called by its item if each has one, or by its number, or not at all if it
    is everything."""
    pieces = [tuple(items[start:end]) for start, end in zip((0, *ends), ends, strict=False)]
    if len(pieces) == 1:
        return [Chunk(pieces[0], "")]
    single = all(len(piece) == 1 for piece in pieces)
    return [
        Chunk(piece, f"{prefix}{piece[0]}" if single else f"{prefix}{number}of{len(pieces)}")
        for number, piece in enumerate(pieces, start=1)
    ]


def job_name(stem: str, *pieces: Chunk) -> str:
    """What Snakemake calls a job: the stem and the labels of its pieces."""
    return re.sub(r"\W", "_", "_".join([stem, *(piece.label for piece in pieces if piece.label)]))
