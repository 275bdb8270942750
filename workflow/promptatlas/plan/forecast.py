"""The jobs of a study, none before those that it needs, and what each has to do. Knows nothing of seconds or of torch.

Which waits for which follows from what they read and write. NOT known: what is done already: this is the whole study.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptatlas.analysis.statistics.scales import RESPONSES
from promptatlas.analysis.statistics.views import VIEWS
from promptatlas.study.costs import StepMemory, Work, choosing
from promptatlas.study.designs import COMPARED, EXPLAINED
from promptatlas.study.jobs import ComputeJob, Job
from promptatlas.study.sizes import Size
from promptatlas.study.study import Study

LIGHT, HEAVY, WEIGHTS_READ = Work({"job: starts": 1}), Work({"job: starts with torch": 1}), "job: weights"
BACKBONE = "backbone"


@dataclass(frozen=True)
class Planned:
    """One job: its stage, what it does, what it waits for, and whether it works on a GPU if there is one."""

    name: str
    stage: str
    work: Work
    needs: tuple[str, ...] = ()
    device: bool = False
    step: StepMemory = field(default_factory=StepMemory)


def jobs(study: Study, sizes: Mapping[str, Size], weights: int) -> list[Planned]:
    """Every job of `study`. weights: bytes of the frozen model, which each job reads that runs it."""
    makers = dict.fromkeys([*study.paths.backbone_files, study.paths.backbone_record], BACKBONE)
    makers |= {path: job.name for job in study.jobs.every for path in job.outputs}
    indexed = {path for job in study.jobs.compute for path in job.inputs if path not in makers}
    indices = {study.paths.index(job.name): job for job in study.jobs.compute if study.paths.index(job.name) in indexed}
    makers |= {path: f"index_{job.name}" for path, job in indices.items()}

    def needs(inputs: Iterable[Path]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(makers[path] for path in inputs if path in makers))

    def planned(job: Job) -> Iterator[Planned]:
        inputs = [*([study.paths.backbone_record] if job.runs_model else []), *job.inputs]
        start = HEAVY if isinstance(job, ComputeJob) and not job.is_quick else LIGHT
        work = start + job.cost(sizes) + Work({WEIGHTS_READ: weights * job.runs_model})
        yield Planned(job.name, job.stage, work, needs(inputs), job.runs_model, job.step(sizes))
        if (index := study.paths.index(job.name)) in indices:
            yield Planned(makers[index], job.stage, LIGHT, (job.name,))

    found = [Planned(BACKBONE, BACKBONE, HEAVY)]
    found += [one for job in study.jobs.prepare for one in planned(job)]
    found.append(Planned("shared_images", "prepare", LIGHT, needs(study.paths.task_records(study.tasks))))
    found += [one for job in study.jobs.compute for one in planned(job)]
    if study.design.ending is EXPLAINED:
        pairs = Work({"similarity: pairs": len(study.tasks) ** 2})
        found.append(Planned("similarity", "report", HEAVY + pairs, needs(study.comparison_inputs)))
    found += [Planned("first_page", "report", LIGHT, tuple(job.name for job in study.jobs.first)) for _ in study.first_page]
    waits = tuple(one.name for one in found)
    for name, work in _report(study):
        found.append(Planned(name, "report", work, waits))
        waits = (name,)
    return found


def _choosing(study: Study) -> Work:
    drawn = len(study.choice.draws) * len(study.choice.shots)
    return choosing(len(study.tasks), len(study.learners), len(study.seeds), len(study.methods), drawn)


def _report(study: Study) -> Iterator[tuple[str, Work]]:
    """What is made of the results when all are there, one after the other."""
    yield "collect", LIGHT
    yield "describe", LIGHT
    if study.multitask.joint:
        yield "collect_joint", LIGHT
    if study.tries:
        yield "choice", LIGHT + _choosing(study)
    if study.design.ending is EXPLAINED:
        views, cells = len(study.methods) * len(study.protocols), len(study.tasks) ** 2
        yield "pairs", LIGHT
        tests = 4 * views * len(RESPONSES) * study.config["statistics"]["permutations"]
        yield "statistics", LIGHT + Work({"statistics: permuted cells": tests * cells})
        yield "figures", HEAVY + Work({"figures: cells": views * len(VIEWS) * cells})
        yield "page", LIGHT
    else:
        table = "comparison" if study.design.ending is COMPARED else "protocol"
        yield table, LIGHT
        yield f"{table}_page", LIGHT
    yield "provenance", LIGHT
