"""Records as a study stores them: a cell, a score, a draw, a prepared task."""

import json

import numpy as np

from promptatlas.records.cells import Cell
from promptatlas.records.draw_file import ARRAYS
from promptatlas.records.fingerprint import fingerprint
from promptatlas.tasks.draws import draw
from promptatlas.tasks.prepared import Pool, write
from promptatlas.tasks.task import Task

PARTS = {"backbone": "a" * 64}
ADDRESS = Cell("frozen", "coop", 1, "shapes", "colors").address()
CELL = ADDRESS | {
    "study": "tiny", "backbone": "mini", "shots": 2, "metric": "accuracy", "score": 0.5, "chance": 0.25, "n_test": 4,
    "seconds": 0.1, "peak_mib": 10.0, "fingerprint": fingerprint(PARTS), "parts": PARTS, "per_class": [0.5, 0.5], "correct": "3",
    "answers": None,
}  # fmt: skip
SCORE = {
    "method": "coop_mt", "seed": 1, "target": "shapes", "metric": "accuracy", "score": 0.5, "chance": 0.25, "epoch": 1,
    "alpha": None, "beta": None, "seconds": 0.1, "fingerprint": fingerprint(PARTS), "parts": PARTS,
}  # fmt: skip


def drawn() -> dict:
    labels = np.arange(20) % 2
    made = draw(labels, labels, 2, 1, "shapes")
    record = {name: getattr(made, name).tolist() for name in ARRAYS}
    return record | {"validation_split": made.validation_split, "sha256": made.sha256, "shots_per_class": [2, 2]}


def task_record(folder) -> dict:
    task = Task("shapes", "Shapes", "own", ("circle", "square"), ("a {}.",))
    images = {split: np.full((4, 8, 8, 3), 7, dtype=np.uint8) for split in ("train", "validation", "test")}
    write(folder, task, {s: Pool.whole(array, np.arange(4) % 2) for s, array in images.items()}, [], images)
    return json.loads((folder / "task.json").read_text())
