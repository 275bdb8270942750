"""What `promptatlas plan` says of a study: jobs, hours with a range, memory and disk, time on N devices; and after a run what
it really took. The speeds are those of microbenchmarks on the device at hand.
"""

from __future__ import annotations

import csv
import math
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch

from promptatlas import backbone
from promptatlas.backbone import WEIGHTS, Backbone
from promptatlas.backbone.model import shapes
from promptatlas.backbone.untrained import untrained
from promptatlas.base.messages import counted
from promptatlas.plan import cuts, footprint, forecast, timetable
from promptatlas.plan.forecast import Planned
from promptatlas.plan.microbenchmarks import microbenchmarks
from promptatlas.plan.speeds import Speeds, measure
from promptatlas.runs import devices
from promptatlas.study import memory, schema
from promptatlas.study.sizes import Size, size
from promptatlas.study.study import Study

# Finished studies took up to this factor more or less than was foretold, beside the scatter of the measurement (docs/log.md).
MODEL = 1.25


@dataclass(frozen=True)
class Budget:
    """A study with its jobs and the speeds of a device, "cpu" or "cuda".

    trained: whether they are those of the study's own backbone; base: bytes of a process that has just started to compute; took:
    seconds that the measurement lasted.
    """

    study: Study
    sizes: Mapping[str, Size]
    model: Backbone
    planned: Sequence[Planned]
    speeds: Speeds
    device: str
    trained: bool
    weights: int
    base: float
    took: float


def measured_here(study: Study) -> Budget:
    """The budget by speeds that are measured now, in about 20 s."""
    started, device = time.monotonic(), devices.chosen(study.config["device"], threads=1)
    sizes, chosen = {task: size(study, task) for task in study.tasks}, study.config["backbone"]
    trained, precision = (study.paths.backbone_folder / WEIGHTS).exists(), study.config["precision"]
    if trained:
        model = backbone.load(study.paths.backbone_folder, device, precision)
    else:
        model = untrained(chosen["model"], chosen["pretrained"], device, precision)
    weights = footprint.FLOAT * sum(map(prod, shapes(model.architecture, model.text.token_embedding.num_embeddings).values()))
    speeds = measure(microbenchmarks(study, model, sizes), device)
    base = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    planned = forecast.jobs(study, sizes, weights)
    return Budget(study, sizes, model, planned, speeds, device, trained, weights, base, time.monotonic() - started)


def devices_here(budget: Budget) -> int:
    return (os.cpu_count() or 1) if budget.device == "cpu" else torch.cuda.device_count()


def lines(budget: Budget, devices: int) -> list[str]:
    """Everything, to be printed."""
    seconds = {job.name: budget.speeds.seconds(job.work) for job in budget.planned}
    factor = budget.speeds.spread * MODEL  # what the true time may be longer or shorter by
    return [
        *_head(budget), "", *_stages(budget, seconds, factor), "", *_times(budget, seconds, factor, devices), *_cut(budget, devices),
        *_room(budget), *_doubts(budget, seconds, factor),
    ]  # fmt: skip


def _head(budget: Budget) -> list[str]:
    study, unit = budget.study, "GPU" if budget.device == "cuda" else "CPU core"
    many = {"task": study.tasks, "method": study.every_method, "seed": study.seeds, "cell": study.cells}
    model = "" if budget.trained else ", with an untrained model of the same sizes"
    return [
        f"{study.name}: {', '.join(counted(len(some), what) for what, some in many.items())}, {study.backbone.name}",
        f"times are those of one {unit} as this one, measured in {budget.took:.0f} s{model}",
    ]


def _stages(budget: Budget, seconds: Mapping[str, float], factor: float) -> list[str]:
    took = measured(budget.study, budget.planned)
    head = f"{'':<12}{'jobs':>6}{'time':>10}{'from':>10}{'to':>10}{'longest':>10}"
    rows = [head + (f"{'ran':>8}{'clock':>10}{'CPU':>11}" if took else "")]
    for stage in (*dict.fromkeys(job.stage for job in budget.planned), "all"):
        if own := [seconds[job.name] for job in budget.planned if stage in (job.stage, "all")]:
            spans = (sum(own), sum(own) / factor, sum(own) * factor, max(own))
            row = f"{stage:<12}{len(own):>6}" + "".join(f"{span(one):>10}" for one in spans)
            if stage in took:
                ran, clock, cpu = took[stage]
                row += f"{ran:>8}{span(clock):>10}{span(cpu):>11}"
            rows.append(row)
    return rows


def _times(budget: Budget, seconds: Mapping[str, float], factor: float, devices: int) -> list[str]:
    shared = budget.device == "cpu"
    kind = "core" if shared else "GPU"

    def row(count: float, place: str, remark: str = "") -> str:
        total = timetable.wall(budget.planned, seconds, count, shared)
        return f"on {place}: {span(total)} ({span(total / factor)} to {span(total * factor)}){remark}"

    rows = [row(count, counted(count, kind)) for count in dict.fromkeys((1, devices))]
    return [*rows, row(timetable.UNLIMITED, f"any number of {kind}s", ", the longest chain of jobs that wait for each other")]


def _cut(budget: Budget, devices: int) -> list[str]:
    """What starting costs, and the lines of the configuration that suit so many devices better if there are any."""
    shared, kind = budget.device == "cpu", "core" if budget.device == "cpu" else "GPU"
    own = cuts.cut(budget.planned, budget.speeds, devices, shared)
    other = cuts.best(budget.study, budget.sizes, budget.weights, budget.speeds, devices, shared)
    place = counted(devices, kind)
    told = [f"starts of jobs: {100 * own.starts:.1f} % of the time, {own.heavy} of them with torch"]
    if own.starts <= max(cuts.MOST_STARTS, other.starts) and own.wall <= cuts.WORTH_IT * other.wall:
        return [*told, f"sizes of jobs: as they are they suit {place}"]
    took = f"{span(other.wall)}, starts {100 * other.starts:.1f} % with {counted(other.heavy, 'job')}"
    return [*told, f"sizes of jobs: better for {place} is `jobs: {{devices: {other.devices}}}` and no more under `jobs`: {took}"]


def _room(budget: Budget) -> list[str]:
    towers, precision = memory.Towers.of(budget.model.architecture), budget.study.config["precision"]
    steps = {job.name: memory.step_bytes(job.step, towers, budget.device, precision) for job in budget.planned}
    largest = max(steps, key=steps.__getitem__)
    host, gpu = budget.base + budget.weights, budget.device == "cuda"
    needed, where = steps[largest] + (budget.weights if gpu else host), "on the GPU, in halves if it does not fit" if gpu else "in all"
    disk = footprint.disk_bytes(budget.study, budget.model, budget.weights, budget.sizes)
    return [
        f"memory: {amount(host)} for a process with its weights; the largest step, of {largest}, needs {amount(needed)} {where}",
        f"disk: {amount(sum(disk.values()))} ({', '.join(f'{what} {amount(count)}' for what, count in disk.items())})",
    ]


def _doubts(budget: Budget, seconds: Mapping[str, float], factor: float) -> list[str]:
    assumed = ", ".join(task for task, own in budget.sizes.items() if not own.known)
    guessed = ", ".join(budget.speeds.unmeasured)
    other_device = budget.device == "cpu" and budget.study.backbone.is_published
    longer = {} if other_device else _minutes(budget, seconds, factor)
    asked = ", ".join(f"{stage}: {{minutes: {minutes}}}" for stage, minutes in longer.items())
    told = {
        f"jobs that a cluster might stop before they end, so better ask for more: `resources: {{{asked}}}`": asked,
        f"assumed, as their images have not been found: the sizes of {assumed}": assumed,
        f"too slow to be measured here, so guessed from the others: {guessed}": guessed,
        "assumed: `joint: auto` finds pairs of tasks": budget.study.multitask.joint == "auto",
        "for jobs on GPUs ask on a machine with one: these are the speeds of a CPU": other_device,
        "not counted: downloads, waiting in a queue, and what Snakemake and a cluster need to start a job": True,
    }
    return [sentence for sentence, holds in told.items() if holds]


def _minutes(budget: Budget, seconds: Mapping[str, float], factor: float) -> dict[str, int]:
    """By stage the minutes that its longest job may take, where these are more than it asks of a cluster."""
    longest = Counter[str]()
    for job in budget.planned:
        longest[job.stage] = max(longest[job.stage], math.ceil(seconds[job.name] * factor / 60))
    asked = {stage: budget.study.asked(stage)["minutes"] for stage in schema.asking()}
    return {stage: longest[stage] for stage, minutes in asked.items() if longest[stage] > minutes}


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
