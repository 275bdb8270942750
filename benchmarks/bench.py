"""The published way beside ours, in one table.

`make bench`, or python benchmarks/bench.py [--only WORDS] [--rounds 3] [--out FILE] [--docs FOLDER]

A model of ViT-B/16's size with random weights on the class names of CIFAR-100, and the embedded one. Every measurement is a process of
its own, started as a user starts it; the two sides take turns. A claim is about more work than is done here: each side is timed at two
sizes, and what the whole takes lies on the line through them. `ratio` is that of medians by the clock, `rounds` its lowest and highest,
`processor` the same in processor time, which other work on the machine changes less. Both sides have to give the same numbers.
Neither side reads image files, and the published way starts as fast as ours does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench_parts import claims, record
from bench_parts.side import Work
from gpu_parts import scene
from gpu_parts.scene import distance
from promptatlas.backbone import Backbone, export

HERE = Path(__file__).parent
SAME = 1e-4  # most that answers and moves of parameters of the two ways may differ, of their size: additions in another order
LONG_NAMES = "fgvc-aircraft-2013b-variants102"  # 100 classes, of the longest names among tasks of the paper that have as many
Started = Callable[[Work], dict[str, Any]]


def works(large: str, mini: str, threads: int, tiny: bool = False) -> dict[str, Work]:
    """What is measured, by name, in the order of a round: what is compared stands side by side. tiny: as small as it can be."""
    model = Work("", "", "", large, (), threads, *((5, 2, 2) if tiny else (100, 32, claims.PROMPTS)))
    found = {"encoding": replace(model, way="ours", kind="encode", counts=(2, 8), method="coop")}
    found["published step coop"] = replace(model, way="published", kind="step", counts=(1,), method="coop")
    found["our step coop"] = replace(model, way="ours", kind="step", counts=(1, 3), method="coop")
    found["our step coop, long names"] = replace(found["our step coop"], task=LONG_NAMES)
    for method in claims.LEAST:
        few = (2, 10) if method == "coop" else (1, 2)
        found[f"published column {method}"] = replace(model, way="published", kind="column", counts=(1, 5), method=method)
        found[f"our column {method}"] = replace(model, way="ours", kind="column", counts=few, method=method)
    small = replace(model, way="ours", kind="tuning", weights=mini, classes=2 if tiny else 10, counts=(1, 2) if tiny else (1, 4))
    for method in claims.LEAST:
        found[f"alone {method}"] = replace(small, method=method, prompts=1)
        found[f"together {method}"] = replace(small, method=method)
    return found


def as_a_user(work: Work) -> dict[str, Any]:
    """What a process of its own tells."""
    given = json.dumps(asdict(replace(work, started=time.time())))
    library = os.pathsep.join([str(HERE), str(HERE.parent / "workflow")])
    path = os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH")]))
    settings = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(work.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    told = subprocess.run([sys.executable, "-m", "bench_parts.side", given], env=settings, capture_output=True, text=True)
    if told.returncode:
        sys.exit(told.stderr)
    return json.loads(told.stdout.splitlines()[-1])


def measured(
    every: dict[str, Work],
    rounds: int,
    folder: Path,
    start: Started,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, list[dict[str, Any]]]:
    """By name what each round told. In the first, our operations are counted and answers are kept in `folder`."""
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in every}
    for number in range(rounds):
        for name, work in every.items():
            begun, first = time.perf_counter(), number == 0
            kept = str(_answers(folder, name)) if first else None
            told[name].append(
                start(replace(work, prompt=number, flops=first and work.way == "ours" and work.kind != "tuning", answers=kept))
            )
            say(f"round {number + 1} of {rounds}, {name}: {time.perf_counter() - begun:.0f} s")
    return told


def apart(folder: Path) -> dict[str, float]:
    """How far answers, and what a step moves, of the two ways lie apart, of their size. Only of what was measured."""
    found = {}
    for part in ("step coop", *(f"column {method}" for method in claims.LEAST)):
        both = [_answers(folder, f"{way} {part}") for way in ("our", "published")]
        if all(path.exists() for path in both):
            ours, published = (np.load(path) for path in both)
            ours = ours[0] if ours.ndim > published.ndim else ours
            found[part] = distance(ours[: len(published)], published[: len(ours)])
    return found


def _answers(folder: Path, name: str) -> Path:
    return folder / f"{name.replace(' ', '_')}.npy"


def ceiling(threads: int, size: int = 2048, times: int = 5) -> float:
    """GFLOP in a second of processor time, in float32: the best of some products of large matrices."""
    torch.set_num_threads(threads)
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(times):
        begun = time.process_time()
        torch.mm(a, b)
        best = min(best, time.process_time() - begun)
    return 2 * size**3 / best / 1e9


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {
        "processor": processor, "cores": os.cpu_count(), "capability": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__,
        "python": platform.python_version(), "load per core": os.getloadavg()[0] / (os.cpu_count() or 1),
    }  # fmt: skip


def exported(model: Backbone, folder: Path) -> str:
    """The folder of a model, as jobs read it."""
    weights = {f"visual.{name}": value for name, value in model.vision.state_dict().items()} | model.text.state_dict()
    export.write(model.architecture, weights | {"logit_scale": torch.tensor(model.logit_scale).log()}, folder)
    return str(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each process (default: as many as cores)")
    parser.add_argument("--only", default="", help="part of a claim's words: what belongs to others is not measured")
    parser.add_argument("--docs", type=Path, default=None, help="folder whose bench.json and speed.md are to tell of it")
    parser.add_argument("--out", type=Path, default=None, help="JSON of everything that was measured")
    options = parser.parse_args(arguments)
    wanted = [claim for claim in claims.CLAIMS if options.only in claim.words]
    if not wanted:
        sys.exit(f"no claim has {options.only!r} in its words: " + "; ".join(claim.words for claim in claims.CLAIMS))
    with tempfile.TemporaryDirectory() as given:
        folder, begun = Path(given), time.perf_counter()
        mini = scene.mini(folder / "mini")
        every = works(exported(scene.random(scene.B16, mini, "cpu"), folder / "large"), str(folder / "mini"), options.threads)
        needed = {"encoding", *(side for claim in wanted for side in claim.sides)}
        every = {name: work for name, work in every.items() if name in needed}
        about, rate = machine(), ceiling(options.threads)
        told = measured(every, options.rounds, folder, as_a_user, lambda line: print(line, file=sys.stderr, flush=True))
        differ = apart(folder)
        outcomes = [claims.outcome(claim, told, rate) for claim in wanted]
    print(
        f"{about['processor']}, {options.threads} threads, {rate:.0f} GFLOP/s of a core, load {about['load per core']:.1f} per core",
        end="; ",
    )
    minutes = (time.perf_counter() - begun) / 60
    print(f"{minutes:.1f} min; the ways differ by {max(differ.values(), default=0.0):.0e}")
    print("\n".join(claims.lines(outcomes)))
    about_run = {"machine": about, "threads": options.threads, "rounds": options.rounds, "minutes": minutes, "gflop_per_second": rate}
    whole = about_run | {"apart": differ, "outcomes": [asdict(one) for one in outcomes], "told": told}
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(whole, indent=1) + "\n")
    if options.docs:
        record.keep(whole, options.docs)
    if max(differ.values(), default=0.0) > SAME:
        sys.exit(f"the two ways do not give the same numbers: {differ}")


if __name__ == "__main__":
    main()
