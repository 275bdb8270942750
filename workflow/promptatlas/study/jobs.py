"""The units of work of a study: what one job reads, writes and tells, and what makes its results stale beside what it reads.

How many things are cut into jobs is said in `job_list`. Knows nothing of torch or of Snakemake.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted
from promptatlas.evaluation import estimates
from promptatlas.records import cells, whole
from promptatlas.records.cells import Cell
from promptatlas.records.draw_file import read_draw
from promptatlas.records.probe_file import read_probes
from promptatlas.records.tries_file import TriedPrompt, read_tries
from promptatlas.records.whole import Reader
from promptatlas.study import costs
from promptatlas.study.costs import MethodCosts, StepMemory, Work, together
from promptatlas.study.multitask import AVERAGE
from promptatlas.study.protocols import PROTOCOLS, SCRATCH, TEMPLATE
from promptatlas.study.scope import ZERO_SHOT, Scope
from promptatlas.study.sizes import Size
from promptatlas.tasks import base_new
from promptatlas.tasks.prepared import PreparedTask

Check = tuple[Path, Reader]
KEPT = "what still holds is kept"


@dataclass(frozen=True)
class Job(ABC):
    """One piece of the work of a study, under the name that Snakemake calls it by.

    stage: what all jobs of its kind are called together; runs_model: whether it runs the frozen model; is_quick: whether it is done in
    seconds, so that no cluster has to be asked.
    """

    stage: ClassVar[str]
    runs_model: ClassVar[bool] = True
    is_quick: ClassVar[bool] = False

    scope: Scope = field(repr=False, compare=False)
    name: str

    @property
    @abstractmethod
    def outputs(self) -> list[Path]:
        """What the job is there for."""

    @property
    @abstractmethod
    def inputs(self) -> list[Path]:
        """What the job reads beside the frozen model."""

    def checks(self) -> Iterator[Check]:
        """Every file that it writes, with what tells whether it is whole: prompts and scores, unless its kind of job writes others."""
        return ((path, whole.score_or_prompt) for path in self.outputs)

    @abstractmethod
    def cost(self, sizes: Mapping[str, Size]) -> Work:
        """What there is to do, beside the start of a process. sizes: of the tasks that are measured on, by name."""

    def step(self, sizes: Mapping[str, Size]) -> StepMemory:
        """What most of the memory is needed for."""
        return StepMemory()


@dataclass(frozen=True)
class ComputeJob(Job):
    """A job whose results the engine compares, keeps and computes. work: the module and class that say how."""

    work: ClassVar[str]

    @property
    @abstractmethod
    def params(self) -> dict[str, Any]:
        """What makes the results stale when it is another."""

    @property
    @abstractmethod
    def message(self) -> str:
        """What the job does, in words."""


@dataclass(frozen=True)
class MethodJob(ComputeJob):
    """A job of one method."""

    method: str


@dataclass(frozen=True)
class PrepareJob(Job):
    """The images and labels of one task, or of its base or new classes."""

    stage = "prepare"
    runs_model = False

    task: str

    @property
    def outputs(self) -> list[Path]:
        """The record, which says whether the arrays beside it are whole."""
        return self.scope.paths.task_records([self.task])

    @property
    def files(self) -> list[Path]:
        """Everything that is written, the arrays too."""
        return self.scope.paths.prepared_files(self.task)

    def checks(self) -> Iterator[Check]:
        """The arrays of a task count only beside a record that does not say why there are none."""
        (record,) = self.outputs
        yield record, lambda path: PreparedTask.open(path.parent)
        try:
            PreparedTask.open(record.parent)
        except (UserError, OSError):
            return
        yield from ((path, whole.by_suffix(path)) for path in self.files if path != record)

    @property
    def inputs(self) -> list[Path]:
        """Embedded tasks need nothing, others their data and the model's image size, and base or new classes the whole task."""
        if base_new.subset_of(self.task):
            return self.scope.paths.task_records([base_new.whole_of(self.task)])
        return [] if self.scope.data.is_embedded(self.task) else [self.scope.paths.architecture, self.scope.paths.fetched]

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        """Of all parts of a task together; what a part takes is its process."""
        return together(costs.preparing(size) for name, size in sizes.items() if base_new.whole_of(name) == self.task)


@dataclass(frozen=True)
class DrawJob(ComputeJob):
    """The few-shot draws of all tasks that are trained on."""

    stage = "draw"
    work = "promptatlas.runs.draw:Draws"
    runs_model = False
    is_quick = True

    @property
    def outputs(self) -> list[Path]:
        return self.scope.draws(self.scope.learners)

    def checks(self) -> Iterator[Check]:
        return ((path, read_draw) for path in self.outputs)

    @property
    def inputs(self) -> list[Path]:
        """Base and new classes are drawn as the whole task is."""
        learners = self.scope.learners
        return self.scope.paths.task_records([*dict.fromkeys([*learners, *map(base_new.whole_of, learners)])])

    @property
    def params(self) -> dict[str, Any]:
        return {"shots": self.scope.shots, "scheme": self.scope.config["draw"], "seeds": self.scope.seeds}

    @property
    def message(self) -> str:
        learners, seeds = len(self.scope.learners), len(self.scope.seeds)
        return f"Draw {counted(self.scope.shots, 'training image')} per class for {counted(learners, 'task')} and {counted(seeds, 'seed')}"

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        return Work()


@dataclass(frozen=True)
class EncodeJob(ComputeJob):
    """Frozen features of some tasks."""

    stage = "encode"
    work = "promptatlas.runs.encode:Encode"

    tasks: tuple[str, ...]

    @property
    def outputs(self) -> list[Path]:
        return [self.scope.paths.encoded(task) for task in self.tasks]

    def checks(self) -> Iterator[Check]:
        return ((path, whole.header) for path in self.outputs)

    @property
    def inputs(self) -> list[Path]:
        return self.scope.paths.task_records(self.tasks)

    @property
    def params(self) -> dict[str, Any]:
        return self.scope.provenance(ZERO_SHOT)

    @property
    def message(self) -> str:
        return f"Encode the images and class names of {counted(len(self.tasks), 'task')}"

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        return together(costs.encoding(self.scope, sizes[task]) for task in self.tasks)


@dataclass(frozen=True)
class ProbeJob(ComputeJob):
    """Linear probes of some tasks, all seeds."""

    stage = "probe"
    work = "promptatlas.runs.probe:Probe"
    runs_model = False

    tasks: tuple[str, ...]

    @property
    def outputs(self) -> list[Path]:
        return [self.scope.paths.probe(task) for task in self.tasks]

    def checks(self) -> Iterator[Check]:
        return ((path, read_probes) for path in self.outputs)

    @property
    def inputs(self) -> list[Path]:
        return [*map(self.scope.paths.encoded, self.tasks), *self.scope.draws(self.tasks)]

    @property
    def params(self) -> dict[str, Any]:
        return self.scope.provenance("linear_probe")

    @property
    def message(self) -> str:
        return f"Fit linear probes on {counted(len(self.tasks), 'task')}"

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        return together(costs.probing(sizes[task]) for task in self.tasks for _ in self.scope.seeds)


@dataclass(frozen=True)
class TuneJob(MethodJob):
    """Source prompts of one method: `tasks` x `seeds`."""

    stage = "tune"
    work = "promptatlas.runs.tune:Tune"

    tasks: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def outputs(self) -> list[Path]:
        return [self.scope.paths.prompt(self.method, seed, task) for task in self.tasks for seed in self.seeds]

    @property
    def inputs(self) -> list[Path]:
        return [*self.scope.paths.task_records(self.tasks), *self.scope.draws(self.tasks, self.seeds)]

    @property
    def params(self) -> dict[str, Any]:
        return self.scope.provenance(self.method) | {"method": self.method, "tasks": self.tasks, "seeds": self.seeds}

    @property
    def message(self) -> str:
        return f"Tune {self.method}: {counted(len(self.tasks) * len(self.seeds), 'prompt')}; {KEPT}"

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        method = MethodCosts.of(self.scope, self.method)
        return together(method.tuning(sizes[task], len(self.seeds)) for task in self.tasks)

    def step(self, sizes: Mapping[str, Size]) -> StepMemory:
        return MethodCosts.of(self.scope, self.method).step([sizes[task] for task in self.tasks], len(self.seeds))


@dataclass(frozen=True)
class ShareJob(MethodJob):
    """Learners of one method, one per seed, each on all tasks together."""

    stage = "share"
    work = "promptatlas.runs.share:Share"

    seeds: tuple[int, ...]

    @property
    def outputs(self) -> list[Path]:
        scores = [self.scope.paths.score(self.method, seed, task) for seed in self.seeds for task in self.scope.tasks]
        return [*self.learners, *self.prompts, *scores]

    def checks(self) -> Iterator[Check]:
        learners = self.learners
        return ((path, whole.header if path in learners else whole.score_or_prompt) for path in self.outputs)

    @property
    def learners(self) -> list[Path]:
        return [self.scope.paths.shared(self.method, seed) for seed in self.seeds]

    @property
    def prompts(self) -> list[Path]:
        return [self.scope.paths.prompt(self.method, seed, task) for seed in self.seeds for task in self.prompted]

    @property
    def prompted(self) -> tuple[str, ...]:
        """The tasks for which a learner gives a prompt: all, if it gives all classes of a task one context."""
        settings = self.scope.settings(self.method)
        return () if settings.get("class_context", "none") != "none" or settings.get("sharing") == "class" else self.scope.tasks

    @property
    def inputs(self) -> list[Path]:
        return [*map(self.scope.paths.encoded, self.scope.tasks), *self.scope.draws(self.scope.tasks, self.seeds)]

    @property
    def params(self) -> dict[str, Any]:
        return self.scope.provenance(self.method) | {"method": self.method, "tasks": self.scope.tasks, "seeds": self.seeds}

    @property
    def message(self) -> str:
        return f"Train together {self.method}: {counted(len(self.outputs), 'result')}; {KEPT}"

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        method = MethodCosts.of(self.scope, self.method)
        return together(method.sharing([sizes[task] for task in self.scope.tasks]) for _ in self.seeds)

    def step(self, sizes: Mapping[str, Size]) -> StepMemory:
        method = MethodCosts.of(self.scope, self.method)
        return StepMemory(sum(method.sentences(sizes[task]) for task in self.scope.tasks))


@dataclass(frozen=True)
class AdaptJob(MethodJob):
    """Adapters of one method: `tasks` x all seeds."""

    stage = "adapt"
    work = "promptatlas.runs.adapt:Adapt"

    tasks: tuple[str, ...]

    @property
    def outputs(self) -> list[Path]:
        return [self.scope.paths.score(self.method, seed, task) for seed in self.scope.seeds for task in self.tasks]

    @property
    def inputs(self) -> list[Path]:
        return [*map(self.scope.paths.encoded, self.tasks), *self.scope.draws(self.tasks), *self.class_weights]

    @property
    def class_weights(self) -> list[Path]:
        """What an adapter's class weights come from, where that is not the templates."""
        source, paths = self.scope.settings(self.method).get("class_weights"), self.scope.paths
        if source in self.scope.shared_methods:
            return [paths.shared(source, seed) for seed in self.scope.seeds]
        prompts = [paths.adapter_prompt(source, seed, task) for task in self.tasks for seed in self.scope.seeds] if source else []
        return list(dict.fromkeys(prompts))

    @property
    def params(self) -> dict[str, Any]:
        return self.scope.provenance(self.method) | {"method": self.method, "tasks": self.tasks}

    @property
    def message(self) -> str:
        return f"Adapt {self.method}: {counted(len(self.outputs), 'result')}; {KEPT}"

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        method = MethodCosts.of(self.scope, self.method)
        return together(method.adapting(sizes[task]) for task in self.tasks for _ in self.scope.seeds)


@dataclass(frozen=True)
class SeveralTasksJob(MethodJob):
    """Prompts of one method that are tuned on several tasks at once, all seeds."""

    def step(self, sizes: Mapping[str, Size]) -> StepMemory:
        """Of a prompt of all tasks, which is the most that there can be."""
        return MethodCosts.of(self.scope, self.method).step([sizes[task] for task in self.scope.tasks], len(self.scope.seeds))


@dataclass(frozen=True)
class MultitaskJob(SeveralTasksJob):
    """Multitask source prompts of one method, all seeds, for some targets."""

    stage = "multitask"
    work = "promptatlas.runs.multitask:Multitask"

    targets: tuple[str, ...]

    @property
    def outputs(self) -> list[Path]:
        every = (*self.scope.seeds, *((AVERAGE,) if self.scope.multitask.options["average_seeds"] else ()))
        paths = [self.scope.paths.multitask_prompt(self.method, which, target) for target in self.targets for which in every]
        return list(dict.fromkeys(paths))

    @property
    def inputs(self) -> list[Path]:
        return [*self.scope.paths.task_records(self.scope.tasks), *self.scope.draws(self.scope.learners)]

    @property
    def params(self) -> dict[str, Any]:
        own = {"multitask": self.scope.config["multitask"], "targets": self.targets}
        return self.scope.multitask.options | self.scope.provenance(self.method) | own

    @property
    def message(self) -> str:
        return f"Tune {self.method} on many tasks at once; {KEPT}"

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        """A source prompt that leaves nothing out is the same for all targets."""
        multitask, seeds = self.scope.multitask, len(self.scope.seeds)
        method = MethodCosts.of(self.scope, self.method, multitask.settings(self.method))
        targets = self.targets if multitask.leaves_one_out else self.targets[:1]
        unions = ([sizes[task] for task in multitask.tasks(target)] for target in targets)
        return together(method.tuning_on_several(union, seeds, multitask.options) for union in unions)


@dataclass(frozen=True)
class JointJob(SeveralTasksJob):
    """Joint prompts of the groups of targets of one method, all seeds, and their scores. needs: names of the jobs that it reads from."""

    stage = "joint"
    work = "promptatlas.runs.joint:Joint"

    tasks: tuple[str, ...]
    needs: tuple[str, ...]

    @property
    def outputs(self) -> list[Path]:
        return [
            self.scope.paths.joint_score(self.method, source, adaptation, seed, task)
            for source in self.scope.multitask.sources
            for adaptation in ("single", "joint")
            for seed in self.scope.seeds
            for task in self.tasks
        ]

    @property
    def inputs(self) -> list[Path]:
        """The indices of all prompts of the method that adaptation starts from or is compared with, and of the features."""
        return [*map(self.scope.paths.index, self.needs), *self.scope.draws(self.scope.learners)]

    @property
    def params(self) -> dict[str, Any]:
        own = {"groups": self.scope.multitask.joint, "multitask": self.scope.config["multitask"]}
        return self.scope.multitask.options | self.scope.provenance(self.method) | own

    @property
    def message(self) -> str:
        return f"Tune {self.method} on groups of tasks that share a prompt; {KEPT}"

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        """Every target alone and in its group, from each start. Groups that are yet to be found are taken to be pairs."""
        multitask, seeds, method = self.scope.multitask, len(self.scope.seeds), MethodCosts.of(self.scope, self.method)
        starts, found = len(multitask.sources), multitask.joint == "auto"
        work = together(method.tuning(sizes[task], seeds) for task in self.tasks for _ in range(2 * starts - 1))
        if multitask.leaves_one_out:
            source, every = (
                MethodCosts.of(self.scope, self.method, multitask.settings(self.method)),
                [sizes[task] for task in self.scope.tasks],
            )
            groups = len(self.tasks) // 2 if found else len(multitask.joint)
            work += together(source.tuning_on_several(every, seeds, multitask.options) for _ in range(groups))
        asked = seeds * (2 * starts + found * len(self.tasks))
        return work + together(method.evaluating(sizes[task], asked) for task in self.tasks)


@dataclass(frozen=True)
class TryJob(MethodJob):
    """What all prompts of one method answer on labelled training images of some targets. needs: names of the jobs that it reads from."""

    stage = "try"
    work = "promptatlas.runs.tries:TryPrompts"

    targets: tuple[str, ...]
    needs: tuple[str, ...]

    def prompts(self, target: str) -> Iterator[TriedPrompt]:
        """Those of every other task and seed, the untrained ones, and the zero-shot one: its own has seen such images."""
        for source in (*(one for one in self.scope.learners if one != target and self.scope.design.tries(one, target)), SCRATCH):
            for seed in self.scope.seeds:
                yield TriedPrompt(source, seed)
        yield TriedPrompt(TEMPLATE, None)

    def prompt_files(self, target: str) -> Iterator[Path]:
        """Where those are that were trained."""
        for source, seed in self.prompts(target):
            if source in self.scope.learners and seed is not None:
                yield self.scope.paths.prompt(self.method, seed, source)

    @property
    def outputs(self) -> list[Path]:
        return [self.scope.paths.tries(self.method, target) for target in self.targets]

    def checks(self) -> Iterator[Check]:
        return ((path, read_tries) for path in self.outputs)

    @property
    def inputs(self) -> list[Path]:
        """The indices of the source prompts and of the targets' features."""
        return [self.scope.paths.index(name) for name in self.needs]

    @property
    def params(self) -> dict[str, Any]:
        choice, own = self.scope.choice, {"method": self.method, "targets": self.targets, "seeds": self.scope.seeds}
        drawn = {"draws": choice.draws, "shots": choice.shots, "scheme": self.scope.config["draw"], "sources": self.scope.learners}
        return self.scope.provenance(self.method) | drawn | own

    @property
    def message(self) -> str:
        draws, shots = len(self.scope.choice.draws), max(self.scope.choice.shots)
        images, targets = counted(shots, "training image"), counted(len(self.targets), "target")
        return f"Try {self.method} on {counted(draws, 'draw')} of {images} per class of {targets}; {KEPT}"

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        method, choice = MethodCosts.of(self.scope, self.method), self.scope.choice
        work = together(method.trying(sizes[target], sum(1 for _ in self.prompts(target))) for target in self.targets)
        for target in self.targets if choice.estimators else ():
            size = sizes[target]
            images = len(choice.draws) * sum(min(level * size.classes, size.tried) for level in choice.shots)
            sources = (sizes[source] for source, _ in self.prompts(target) if source in self.scope.learners)
            work += method.estimating(size, sources, images)
            if any("gradient" in estimates.lookup(name).needs for name in choice.estimators):
                work += method.gradients(size, len(self.scope.seeds), images)
        return work


@dataclass(frozen=True)
class TransferJob(MethodJob):
    """Cells of one protocol and method: `sources` x `targets` x `seeds`, as far as the design measures them.

    needs: names of the jobs that it reads from.
    """

    stage = "transfer"
    work = "promptatlas.runs.transfer:Transfer"

    protocol: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    seeds: tuple[int, ...]
    needs: tuple[str, ...]

    def cells(self) -> Iterator[Cell]:
        for seed in self.seeds:
            for target in self.targets:
                for source in self.sources:
                    if self.scope.has_cells(self.protocol, self.method, source, target):
                        yield Cell(self.protocol, self.method, seed, target, source)

    @property
    def outputs(self) -> list[Path]:
        return [*self._paths]

    @cached_property
    def _paths(self) -> tuple[Path, ...]:
        """Once: a large study asks for its cells again and again."""
        return tuple(self.scope.paths.cell(cell) for cell in self.cells())

    def checks(self) -> Iterator[Check]:
        return ((self.scope.paths.cell(cell), partial(cells.read_own, cell=cell)) for cell in self.cells())

    @property
    def inputs(self) -> list[Path]:
        """The indices of the source prompts and of the targets' features, and where row `scratch` needs them of the targets' prompts."""
        return [self.scope.paths.index(name) for name in self.needs]

    @property
    def params(self) -> dict[str, Any]:
        settings = self.scope.target_settings(self.protocol, self.method)
        tuned = {"init_settings": settings} if PROTOCOLS[self.protocol].tunes else {}
        own = {"protocol": self.protocol, "method": self.method, "sources": self.sources, "targets": self.targets, "seeds": self.seeds}
        return self.scope.provenance(self.method) | tuned | own

    @property
    def message(self) -> str:
        return f"Transfer {self.method} ({self.protocol}): {counted(sum(1 for _ in self.cells()), 'cell')}; {KEPT}"

    def _tuned(self) -> Counter[tuple[str, int]]:
        """By target and seed, how many prompts are tuned on side by side."""
        return Counter((cell.target, cell.seed) for cell in self.cells() if self.scope.tunes(cell))

    def cost(self, sizes: Mapping[str, Size]) -> Work:
        method = MethodCosts.of(self.scope, self.method, self.scope.target_settings(self.protocol, self.method))
        asked = Counter(cell.target for cell in self.cells() if cell.source != TEMPLATE)
        work = together(method.evaluating(sizes[target], count) for target, count in asked.items())
        return work + together(method.tuning(sizes[target], count) for (target, _), count in self._tuned().items())

    def step(self, sizes: Mapping[str, Size]) -> StepMemory:
        learners = max(self._tuned().values(), default=0) if PROTOCOLS[self.protocol].tunes else 0
        method = MethodCosts.of(self.scope, self.method, self.scope.target_settings(self.protocol, self.method))
        return method.step([sizes[target] for target in self.targets], learners) if learners else StepMemory()
