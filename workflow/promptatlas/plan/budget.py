"""What `promptatlas plan` says of a study: jobs, hours with a range, memory and disk, time on N devices; and after a run what
it really took. The speeds are those of microbenchmarks on the device at hand.
"""

from __future__ import annotations

import csv
import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from promptatlas.backbone import WEIGHTS
from promptatlas.backbone.architecture import Architecture
from promptatlas.base.messages import counted
from promptatlas.plan import footprint, forecast, timetable
from promptatlas.plan.forecast import STAGES, Planned
from promptatlas.plan.speeds import Speeds, measure
from promptatlas.study.sizes import Size, size
from promptatlas.study.study import Study

# Finished studies took up to this factor more or less than was foretold, beside the scatter of the measurement (docs/log.md).
MODEL = 1.25


@dataclass(frozen=True)
class Budget:
    """A study with the time of each of its jobs in seconds, of a CPU or of a GPU.

    device: "cpu" or "cuda"; trained: whether the speeds are those of the study's own backbone; base: bytes of a process
    that has just started to compute.
    """

    study: Study
    sizes: Mapping[str, Size]
    architecture: Architecture
    weights: int
    planned: Sequence[Planned]
    speeds: Speeds
    device: str
    trained: bool
    base: float
    took: float

    @cached_property
    def seconds(self) -> dict[str, float]:
        return {job.name: self.speeds.seconds(job.work) for job in self.planned}

    @property
    def factor(self) -> float:
        """What the true time may be longer or shorter by."""
        return self.speeds.spread * MODEL


def measured_here(study: Study) -> Budget:
    """The budget by speeds that are measured now, in about 20 s."""
    from promptatlas import backbone
    from promptatlas.backbone.model import shapes
    from promptatlas.backbone.untrained import untrained
    from promptatlas.plan.microbenchmarks import microbenchmarks
    from promptatlas.runs import devices

    started, device = time.monotonic(), devices.chosen(study.config["device"], threads=1)
    sizes = {task: size(study, task) for task in study.tasks}
    trained = (study.paths.backbone_folder / WEIGHTS).exists()
    if trained:
        model = backbone.load(study.paths.backbone_folder, device)
    else:
        model = untrained(study.config["backbone"]["model"], study.config["backbone"]["pretrained"], device)
    weights = sum(prod(shape) for shape in shapes(model.architecture, model.text.token_embedding.num_embeddings).values())
    weights *= footprint.FLOAT
    speeds = measure(microbenchmarks(study, model, sizes), device)
    planned = forecast.jobs(study, sizes, weights)
    unit = 1 if sys.platform == "darwin" else 1024
    base = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    return Budget(study, sizes, model.architecture, weights, planned, speeds, device, trained, base, time.monotonic() - started)


def devices_here(budget: Budget) -> int:
    if budget.device == "cpu":
        return os.cpu_count() or 1
    import torch

    return torch.cuda.device_count()


def lines(budget: Budget, devices: int) -> list[str]:
    """Everything, to be printed."""
    return [*_head(budget), "", *_stages(budget), "", *_times(budget, devices), *_room(budget), *_doubts(budget)]


def _head(budget: Budget) -> list[str]:
    study = budget.study
    unit = "GPU" if budget.device == "cuda" else "CPU core"
    model = "" if budget.trained else ", with an untrained model of the same sizes"
    return [
        f"{study.name}: {counted(len(study.tasks), 'task')}, {counted(len(study.every_method), 'method')}, "
        f"{counted(len(study.seeds), 'seed')}, {counted(len(study.cells), 'cell')}, {study.backbone.name}",
        f"times are those of one {unit} as this one, measured in {budget.took:.0f} s{model}",
    ]


def _stages(budget: Budget) -> list[str]:
    took = measured(budget.study, budget.planned)
    head = f"{'':<12}{'jobs':>6}{'time':>10}{'from':>10}{'to':>10}{'longest':>10}"
    rows = [head + (f"{'ran':>8}{'clock':>10}{'CPU':>11}" if took else "")]
    for stage in (*STAGES, "all"):
        own = [budget.seconds[job.name] for job in budget.planned if stage in (job.stage, "all")]
        if not own:
            continue
        total = sum(own)
        columns = (total, total / budget.factor, total * budget.factor, max(own))
        row = f"{stage:<12}{len(own):>6}" + "".join(f"{span(seconds):>10}" for seconds in columns)
        if stage in took:
            ran, clock, cpu = took[stage]
            row += f"{ran:>8}{span(clock):>10}{span(cpu):>11}"
        rows.append(row)
    return rows


def _times(budget: Budget, devices: int) -> list[str]:
    kind = "core" if budget.device == "cpu" else "GPU"
    seconds, shared = budget.seconds, budget.device == "cpu"
    rows = []
    for count in dict.fromkeys((1, devices)):
        total = timetable.wall(budget.planned, seconds, count, shared)
        rows.append(f"on {count} {kind}{'s' if count > 1 else ''}: {_range(total, budget.factor)}")
    total = timetable.wall(budget.planned, seconds, timetable.UNLIMITED, shared)
    return [*rows, f"on any number of {kind}s: {_range(total, budget.factor)}, the longest chain of jobs that wait for each other"]


def _room(budget: Budget) -> list[str]:
    steps = {job.name: footprint.step_bytes(job.step, budget.architecture) for job in budget.planned}
    largest = max(steps, key=steps.__getitem__)
    host, step = budget.base + budget.weights, steps[largest]
    where = "on the GPU, in halves if it does not fit" if budget.device == "cuda" else "in all"
    needed = step + budget.weights if budget.device == "cuda" else host + step
    disk = footprint.disk_bytes(budget.study, budget.architecture, budget.weights, budget.sizes)
    parts = ", ".join(f"{what} {amount(count)}" for what, count in disk.items())
    return [
        f"memory: {amount(host)} for a process with its weights; the largest step, of {largest}, needs {amount(needed)} {where}",
        f"disk: {amount(sum(disk.values()))} ({parts})",
    ]


def _doubts(budget: Budget) -> list[str]:
    rows = []
    assumed = [task for task, own in budget.sizes.items() if not own.known]
    if assumed:
        rows.append(f"assumed, as their images have not been found: the sizes of {', '.join(assumed)}")
    if budget.speeds.unmeasured:
        rows.append(f"too slow to be measured here, so guessed from the others: {', '.join(budget.speeds.unmeasured)}")
    if budget.study.multitask.joint == "auto":
        rows.append("assumed: `joint: auto` finds pairs of tasks")
    if budget.device == "cpu" and budget.study.backbone.is_published:
        rows.append("for jobs on GPUs ask on a machine with one: these are the speeds of a CPU")
    return [*rows, "not counted: downloads, waiting in a queue, and what Snakemake and a cluster need to start a job"]


def _range(seconds: float, factor: float) -> str:
    return f"{span(seconds)} ({span(seconds / factor)} to {span(seconds * factor)})"


def span(seconds: float) -> str:
    """A time in the unit that people would use."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def amount(count: float) -> str:
    """Bytes in the unit that people would use."""
    for unit, many in (("TB", 1e12), ("GB", 1e9)):
        if count >= many:
            return f"{count / many:.1f} {unit}"
    return f"{count / 1e6:.0f} MB"


def measured(study: Study, planned: Sequence[Planned]) -> dict[str, tuple[int, float, float]]:
    """Stage -> how many of its jobs have run, and their seconds by the clock and of CPUs, from Snakemake's benchmarks;
    also of "all".

    Of a job that ran several times this is the last, which may have kept most results. CPU seconds are those of the
    last look at the job, up to half a minute before its end.
    """
    found: dict[str, tuple[int, float, float]] = {}
    for job in planned:
        try:
            with study.paths.benchmark(job.name).open() as file:
                row = list(csv.DictReader(file, delimiter="\t"))[-1]
            clock, cpu = float(row["s"]), float(row["cpu_time"])
        except (OSError, LookupError, ValueError, TypeError):
            continue
        for stage in (job.stage, "all"):
            ran, *sums = found.get(stage, (0, 0.0, 0.0))
            found[stage] = ran + 1, sums[0] + clock, sums[1] + cpu
    return found
