"""The jobs of a study, none before those that it needs, and what each has to do. Knows nothing of seconds or of torch.

NOT known: which groups `joint: auto` will find (they are taken to be pairs), and what is done already: this is the whole study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptatlas.analysis.statistics.scales import RESPONSES
from promptatlas.analysis.statistics.views import VIEWS
from promptatlas.plan import costs
from promptatlas.plan.costs import Method, Size, Work, together
from promptatlas.study.designs import COMPARED, EXPLAINED
from promptatlas.study.jobs import Job, TransferJob
from promptatlas.study.multitask import MULTITASK
from promptatlas.study.study import Study
from promptatlas.tasks import halves

STAGES = ("backbone", "prepare", "encode", "probe", "tune", "share", "adapt", "multitask", "joint", "transfer", "report")


@dataclass(frozen=True)
class Step:
    """The largest thing that a job has in memory on its way forward and back: text tokens and pictures."""

    tokens: int = 0
    pictures: int = 0


@dataclass(frozen=True)
class Planned:
    """One job: its stage, what it does, what it waits for, and whether it works on a GPU if there is one."""

    name: str
    stage: str
    work: Work
    needs: tuple[str, ...] = ()
    device: bool = False
    step: Step = Step()


def jobs(study: Study, sizes: Mapping[str, Size], width: int, weights: int) -> list[Planned]:
    """Every job of `study`. width: of features; weights: bytes of the backbone."""
    plan = _Plan(study, sizes, width, weights)
    plan.prepare()
    plan.look()
    plan.learn()
    plan.learn_together()
    plan.transfer()
    plan.report()
    return plan.jobs


class _Plan:
    def __init__(self, study: Study, sizes: Mapping[str, Size], width: int, weights: int) -> None:
        self.study, self.sizes, self.width = study, sizes, width
        self.jobs: list[Planned] = []
        self.light = Work({"job: starts": 1})
        self.heavy = Work({"job: starts with torch": 1, "job: weights": weights})
        self.prepared = {task: f"prepare_{task}" for task in dict.fromkeys((*study.design.given, *study.tasks))}
        self.ready = ["backbone", *self.prepared.values(), "draw"]
        self.encoded = [_index(job) for job in study.jobs.encode]

    def prepare(self) -> None:
        study = self.study
        self._compute("backbone", "backbone", Work(), [], device=False)
        for task, name in self.prepared.items():
            if halves.part_of(task):
                self._light(name, "prepare", Work(), [self.prepared[halves.whole_of(task)]])
            else:
                own = (costs.preparing(self.sizes[part]) for part in study.tasks if halves.whole_of(part) == task)
                self._light(name, "prepare", together(own), [] if study.data.is_embedded(task) else ["backbone"])
        self._light("shared_images", "prepare", Work(), self.prepared.values())
        self._light("draw", "prepare", Work(), self.prepared.values())

    def look(self) -> None:
        """Frozen features, and what a linear probe makes of them."""
        study, seeds = self.study, len(self.study.seeds)
        for job in study.jobs.encode:
            work = together(costs.encoding(study, self.sizes[task]) for task in job.tasks)
            self._compute(job.name, "encode", work, ["backbone", *(self.prepared[task] for task in job.tasks)])
            self._light(_index(job), "encode", Work(), [job.name])
        for one in study.jobs.probe:
            work = together(costs.probing(self.sizes[task], self.width) for task in one.tasks for _ in range(seeds))
            self._compute(one.name, "probe", work, [*self.encoded, "draw"], device=False)

    def learn(self) -> None:
        """What learns on single tasks."""
        study, seeds = self.study, len(self.study.seeds)
        for job in study.jobs.tune:
            method, learners = Method.of(study, job.method), len(job.seeds)
            work = together(method.tuning(self.sizes[task], learners) for task in job.tasks)
            self._compute(job.name, "tune", work, self.ready, step=self._step(method, job.tasks, learners))
            self._light(_index(job), "tune", Work(), [job.name])
        for one in study.jobs.share:
            method, own = Method.of(study, one.method), [self.sizes[task] for task in study.tasks]
            work = together(method.sharing(own) for _ in one.seeds) + _files(len(one.outputs))
            step = Step(sum(costs.sentences(method, size.names) for size in own))
            self._compute(one.name, "share", work, ["draw", *self.encoded], step=step)
        for adapter in study.jobs.adapt:
            method = Method.of(study, adapter.method)
            work = together(method.adapting(self.sizes[task], self.width) for task in adapter.tasks for _ in range(seeds))
            source = method.settings.get("class_weights")
            if source == MULTITASK:
                learned = [union.name for union in study.jobs.multitask if union.method == "coop"]
            else:
                learned = [other.name for other in study.jobs.share if other.method == source]
                learned += [other.name for other in study.jobs.tune if other.method == source]
            self._compute(adapter.name, "adapt", work + _files(len(adapter.outputs)), ["draw", *self.encoded, *learned])

    def learn_together(self) -> None:
        """Prompts of several tasks."""
        study, seeds = self.study, len(self.study.seeds)
        for job in study.jobs.multitask:
            method = Method.of(study, job.method, study.multitask.settings(job.method))
            targets = job.targets if study.multitask.leaves_one_out else job.targets[:1]
            work = together(self._union(method, study.multitask.tasks(target)) for target in targets)
            self._compute(job.name, "multitask", work, self.ready, step=self._step(method, study.tasks, seeds))
            self._light(_index(job), "multitask", Work(), [job.name])
        for joint in study.jobs.joint:
            method = Method.of(study, joint.method)
            learned = [_index(one) for one in study.jobs.tune if one.method == joint.method]
            learned += [_index(one) for one in study.jobs.multitask if one.method == joint.method]
            step = self._step(method, study.tasks, seeds)
            self._compute(joint.name, "joint", self._joint(method), [*self.ready, *self.encoded, *learned], step=step)

    def transfer(self) -> None:
        for job in self.study.jobs.transfer:
            method = Method.of(self.study, job.method, self.study.target_settings(job.protocol, job.method))
            tuned = self._tuned(job)
            step = self._step(method, job.targets, max(tuned.values())) if tuned else Step()
            needs = [f"index_{name}" for name in job.needs]
            self._compute(job.name, "transfer", self._cells(method, job, tuned), needs, step=step)

    def report(self) -> None:
        study, cells = self.study, _files(len(self.study.cells))
        self._light("collect", "report", cells, [job.name for job in study.jobs.transfer])
        self._light(
            "describe", "report", _files(len(study.all_prompts)), ["collect", "shared_images", *(job.name for job in study.jobs.probe)]
        )
        if study.multitask.joint:
            self._light("collect_joint", "report", Work(), [job.name for job in study.jobs.joint])
        views = len(study.methods) * len(study.protocols)
        if study.design.ending is EXPLAINED:
            self._compute("similarity", "report", Work({"similarity: pairs": len(study.tasks) ** 2}), self.encoded, device=False)
            tests = 2 * views * len(RESPONSES) * study.config["statistics"]["permutations"]
            permuted = Work({"statistics: permuted cells": tests * len(study.tasks) ** 2})
            self._light("statistics", "report", permuted, ["describe", "similarity"])
            drawn = Work({"figures: cells": views * len(VIEWS) * len(study.tasks) ** 2})
            self._compute("figures", "report", drawn, ["statistics"], device=False)
            self._light("page", "report", cells, ["statistics"])
        else:
            first = "comparison" if study.design.ending is COMPARED else "protocol"
            self._light(first, "report", Work(), ["describe"])
            self._light(f"{first}_page", "report", Work(), [first])
        self._light("provenance", "report", Work(), [job.name for job in self.jobs[-2:]])

    def _light(self, name: str, stage: str, work: Work, needs: Iterable[str]) -> None:
        self.jobs.append(Planned(name, stage, self.light + work, tuple(dict.fromkeys(needs))))

    def _compute(self, name: str, stage: str, work: Work, needs: Iterable[str], device: bool = True, step: Step = Step()) -> None:
        self.jobs.append(Planned(name, stage, self.heavy + work, tuple(dict.fromkeys(needs)), device, step))

    def _step(self, method: Method, tasks: Sequence[str], learners: int) -> Step:
        """The largest step of tuning."""
        batch = method.settings["batch_size"]
        text = max(costs.sentences(method, self.sizes[task].names) for task in tasks)
        pictures = min(batch, max(self.sizes[task].train for task in tasks)) * method.visual
        return Step(learners * text * (batch if method.by_picture else 1), learners * pictures)

    def _union(self, method: Method, tasks: Sequence[str]) -> Work:
        """One prompt per seed on several tasks."""
        own, seeds, union = [self.sizes[task] for task in tasks], len(self.study.seeds), self.study.multitask.options
        if (union["classes"], union["batches"]) == ("own", "task"):
            return together(method.tuning(size, seeds) for size in own)
        return method.tuning(costs.joined(own), seeds)

    def _joint(self, method: Method) -> Work:
        """Every target alone and in its group, from each start."""
        study, seeds, sizes = self.study, len(self.study.seeds), self.sizes
        starts, found = len(study.multitask.sources), study.multitask.joint == "auto"
        targets = study.multitask.targets
        groups = len(targets) // 2 if found else len(study.multitask.joint)
        work = together(method.tuning(sizes[task], seeds) for task in targets for _ in range(2 * starts - 1))
        if study.multitask.leaves_one_out:
            source = Method.of(study, method.name, study.multitask.settings(method.name))
            work += together(self._union(source, study.tasks) for _ in range(groups))
        asked = seeds * (2 * starts + found * len(targets))
        work += together(method.answers(sizes[task], asked) for task in targets)
        return work + _files(2 * starts * seeds * len(targets))

    def _tuned(self, job: TransferJob) -> Counter[tuple[str, int]]:
        """By target and seed, how many prompts are tuned on side by side."""
        return Counter((cell.target, cell.seed) for cell in job.cells() if self.study.tunes(cell))

    def _cells(self, method: Method, job: TransferJob, tuned: Counter[tuple[str, int]]) -> Work:
        cells = list(job.cells())
        asked = Counter(cell.target for cell in cells if cell.source != "template")
        work = together(method.answers(self.sizes[target], count) for target, count in asked.items())
        work += together(method.tuning(self.sizes[target], count) for (target, _), count in tuned.items())
        return work + _files(2 * len(cells))  # each is also kept for the case of an interruption


def _index(job: Job) -> str:
    return f"index_{job.name}"


def _files(count: int) -> Work:
    return Work({"files: records": count})
