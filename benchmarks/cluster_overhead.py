"""What a job on a cluster costs beside its work: python benchmarks/cluster_overhead.py

Measures the same 100 cells on a toy SLURM cluster (tests/cluster/toy_slurm.py; root, Debian) in 100 jobs of one cell and in 5
of twenty. Everything before the cells is done beforehand. Prints wall time and, per cell, CPU time: of everything that ran
inside SLURM's jobs; of the process that does the work, its start and the loading of libraries and model included (Snakemake's
`benchmark`); and of the measurement itself. What is left between the first and the second is the engine's.
"""

import ctypes
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "cluster"))
from clustered import Clustered, on_slurm
from toy_slurm import Cluster

STUDY = {
    "tasks": ["shapes", "colors", "position", "signs"],
    "methods": ["coop"],
    "seeds": [1, 2, 3, 4, 5],
    "calibration": ["template"],
}
PIECES = {
    "100 jobs of 1 cell": {"targets_per_job": 1, "sources_per_job": 1, "seeds_per_job": 1},
    "5 jobs of 20 cells": {"targets_per_job": "all", "sources_per_job": "all", "seeds_per_job": 1},
}
BECOME_THE_PARENT_OF_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER


def processor_seconds() -> float:
    """CPU time of all processes that ended since the last call, with all that they had waited for."""
    total = 0.0
    while True:
        try:
            number, _, used = os.wait3(os.WNOHANG)
        except ChildProcessError:
            return total
        if number == 0:
            return total
        total += used.ru_utime + used.ru_stime


def measure(study: Clustered) -> dict[str, float]:
    """Seconds of one run of all cells on the cluster."""
    processor_seconds()
    started = time.monotonic()
    study.run(*on_slurm(), "--jobs", "200", "--until", "collect", timeout=7200)
    wall, inside = time.monotonic() - started, processor_seconds()
    jobs = [pd.read_csv(path, sep="\t") for path in (study.results / "benchmarks").glob("transfer*.tsv")]
    cells = [json.loads(path.read_text()) for path in (study.results / "cells").rglob("*.json")]
    return {
        "wall": wall,
        "inside SLURM's jobs": inside / len(cells),
        "the process that works": sum(job["cpu_time"].sum() for job in jobs) / len(cells),
        "measurement": sum(cell["seconds"] for cell in cells) / len(cells),
    }


def main() -> None:
    ctypes.CDLL(None).prctl(BECOME_THE_PARENT_OF_ORPHANS, 1, 0, 0, 0)
    folder = Path(tempfile.mkdtemp(prefix="cluster-overhead-"))
    for name, pieces in PIECES.items():
        study = Clustered(folder / name.replace(" ", "_")).configure(**STUDY, jobs=pieces)
        study.run("--cores", "2", "--until", "index", "similarity", "probe")
        with Cluster() as cluster:
            cluster.wait_until_idle()
            found = measure(study)
        print(name, {what: round(float(seconds), 2) for what, seconds in found.items()}, flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
