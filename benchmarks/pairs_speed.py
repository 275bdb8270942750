"""CPU time and memory of the table `pairs`, from made-up cells that one method and protocol has of 60 tasks.

`python benchmarks/pairs_speed.py [tasks] [images] [methods]`: cells of one method are written and read, those of `methods` computed.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from promptatlas.analysis.pairs.column import Column
from promptatlas.analysis.pairs.of_study import columns
from promptatlas.analysis.pairs.table import pairs
from promptatlas.records.cells import packed_answers
from promptatlas.study.study import Study

KEYS = ("protocol", "method", "source", "target", "seed", "metric", "score", "n_test")


def written(study: Study, images: int) -> pd.DataFrame:
    """Made-up cells of a study on disk, as many bytes as real ones of ten classes, and the table `transfer`."""
    rng, rows = np.random.default_rng(0), []
    for cell in study.cells:
        right = rng.random(images) < 0.6
        row = cell.address() | {"metric": "accuracy", "n_test": images, "score": float(right.mean()), "chance": 0.1}
        about = {
            "fingerprint": "0" * 64,
            "parts": {f"part {number}": "0" * 64 for number in range(8)},
            "per_class": {str(c): 0.5 for c in range(10)},
        }
        path = study.paths.cell(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row | about | {"correct": packed_answers(right)}))
        rows.append({name: row[name] for name in KEYS})
    return pd.DataFrame(rows)


def repeated(found: list[Column], times: int) -> Iterator[Column]:
    for number in range(times):
        yield from (replace(one, method=f"method{number}") for one in found)


def main(tasks: int = 60, images: int = 500, methods: int = 12) -> None:
    names = [f"task{number}" for number in range(tasks)]
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "study": "made_up", "benchmark": "own", "data": {name: {"folder": name} for name in names}, "methods": ["coop"],
            "seeds": [1, 2, 3], "results": folder, "choice": False,
        }  # fmt: skip
        study = Study(config)
        transfer = written(study, images)
        started = time.process_time()
        some = list(columns(study, transfer))
        read = time.process_time() - started
        print(f"{len(transfer)} cells of {len(list(Path(folder).rglob('*.json')))} files read in {read:.1f} s of CPU time")
    started = time.process_time()
    table = pairs(repeated(some, methods))
    print(f"{len(table)} rows computed in {time.process_time() - started:.1f} s")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB at most")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
