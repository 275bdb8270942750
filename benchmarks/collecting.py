"""What it takes to collect the cells of a large study into its table: python benchmarks/collecting.py [--tasks 100]

Made-up cells of own tasks with ten classes and 480 test images, six methods and three seeds, in an empty folder: 183,600 for 100 tasks,
which take 800 MB there. Prints seconds of CPU time and peak memory of a process that does nothing else, by the cell too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from promptatlas.records import cells
from promptatlas.records.cells import packed_answers
from promptatlas.records.given_answers import packed_classes
from promptatlas.study.study import Study

METHODS = ["coop", "vpt", "upt", "maple", "ivlp", "cocoop"]
CLASSES, TEST = 10, 480
CODE = (
    "import json; from promptatlas.runs import tables; from promptatlas.study.study import Study; "
    "tables.collect(Study(json.load(open('study.json'))))"
)


def config(tasks: int) -> dict:
    own = {f"task{number:03d}": {"folder": f"pictures/task{number:03d}"} for number in range(tasks)}
    return {"study": "large", "benchmark": "own", "data": own, "methods": METHODS, "seeds": [1, 2, 3]}


def write(study: Study, folder: Path) -> None:
    """Every cell of the study, all with the same answers."""
    random = np.random.default_rng(0)
    right, given = random.random(TEST) < 0.6, random.integers(0, CLASSES, TEST)
    about = {
        "study": study.name, "backbone": study.backbone.name, "shots": study.shots, "metric": "accuracy", "score": float(right.mean()),
        "chance": 1 / CLASSES, "n_test": TEST, "seconds": 0.0123, "peak_mib": 738.8,
        "per_class": {f"class {number}": 0.6 for number in range(CLASSES)}, "correct": packed_answers(right),
        "answers": packed_classes(given),
        "fingerprint": "f" * 64, "parts": {f"part{number}": "a" * 64 for number in range(9)},
    }  # fmt: skip
    for cell in study.cells:
        path = folder / study.paths.cell(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cells.packed(about | cell.address()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100)
    tasks = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as folder:
        study = Study(config(tasks))
        write(study, Path(folder))
        (Path(folder) / "study.json").write_text(json.dumps(config(tasks)))
        process = subprocess.Popen([sys.executable, "-c", CODE], cwd=folder)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            sys.exit("the cells were not collected")
        seconds, many = used.ru_utime + used.ru_stime, len(study.cells)
        print(f"{many} cells: {seconds:.1f} s of CPU time, {used.ru_maxrss / 1024:.0f} MiB; {1e3 * seconds / many:.2f} ms per cell")


if __name__ == "__main__":
    main()
