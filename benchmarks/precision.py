"""What reduced precision does to a finished study of the embedded model: to scores of its prompts, and to prompts tuned anew.

    python benchmarks/precision.py RESULTS/mini NOTES [--part scores|tuning] [--methods coop,vpt] [--ways float16,tf32] [--seeds 1,2,3]
    python benchmarks/precision.py RESULTS/mini NOTES --out docs/precision_mini.json    # and prints the tables of docs/gpu.md

scores: every prompt of the study's on every task, beside the recorded cell. tuning: every prompt tuned again on its own task and scored
there, beside the recorded cell. NOTES is a folder with one file for each method, way, seed and task, which are not measured twice;
--out makes one record of the seeds of which all tasks are there, which then are not chosen by what came out. On a CPU reduced
precision is made by rounding factors (`promptatlas.backbone.reduced`), which gives what tensor cores do, up to the order of additions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import t
from torch import Tensor

from promptatlas.backbone.encode import encode_images
from promptatlas.backbone.linear import product
from promptatlas.backbone.model import Backbone, load
from promptatlas.backbone.precision import FLOAT16, FLOAT32, TF32
from promptatlas.backbone.reduced import as_half, as_tf32
from promptatlas.base.files import replace
from promptatlas.evaluation import evaluate
from promptatlas.records.draw_file import read_draw
from promptatlas.records.given_answers import answered_classes, packed_classes
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.study.study import Study
from promptatlas.tasks import metrics
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.training import single_task


def as_bfloat16(x: Tensor) -> Tensor:
    return x.bfloat16().float()


def rounding(rounded: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """A product of rounded factors, itself rounded; without gradients."""
    return lambda x, weight, bias=None: rounded(product(rounded(x), rounded(weight), bias))


def tf32(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return product(as_tf32(x), as_tf32(weight), bias)


# name -> precision of the setting, then what the layers of the image and of the text tower do instead. The first three can be set.
WAYS: dict[str, tuple[str, Callable[..., Tensor] | None, Callable[..., Tensor] | None]] = {
    FLOAT32: (FLOAT32, None, None),
    TF32: (TF32, None, None),
    FLOAT16: (FLOAT16, None, None),
    "float32, other sums": (FLOAT32, F.linear, F.linear),  # MKL adds in another order than oneDNN: what any rounding does
    "tf32, text too": (TF32, None, tf32),
    "float16, text too": (FLOAT16, None, rounding(as_half)),
    "bfloat16": (FLOAT32, rounding(as_bfloat16), None),
    "bfloat16, text too": (FLOAT32, rounding(as_bfloat16), rounding(as_bfloat16)),
}


def model_of(study: Study, way: str) -> Backbone:
    precision, vision, text = WAYS[way]
    model = load(study.paths.backbone_folder, "cpu", precision)
    for tower, linear in ((model.vision, vision), (model.text, text)):
        for block in tower.transformer.resblocks if linear else ():  # type: ignore[union-attr]
            block.linear = linear
    return model


def recorded(study: Study, method: str, seed: int, source: str, target: str) -> dict[str, Any]:
    return json.loads((study.folder / "cells/frozen" / method / f"seed{seed}" / target / f"{source}.json").read_bytes())


def scores(study: Study, model: Backbone, method: str, name: str, seed: int) -> dict[str, Any]:
    """Of all prompts of a seed on one task, in the order of the study's tasks."""
    task = PreparedTask.open(study.paths.task_folder(name))
    prompts = [TunedPrompt.load(study.paths.prompt(method, seed, source))[0] for source in study.tasks]
    return compared(study, model, task, prompts, [recorded(study, method, seed, source, name) for source in study.tasks])


def tuning(study: Study, model: Backbone, method: str, name: str, seed: int) -> dict[str, Any]:
    """Of the prompt of one task, tuned anew."""
    task, drawn = PreparedTask.open(study.paths.task_folder(name)), read_draw(study.paths.draw(name, seed))
    prompts = single_task.tune_task(model, method, study.settings(method), task, [drawn], [seed])
    return compared(study, model, task, prompts, [recorded(study, method, seed, name, name)])


def compared(
    study: Study, model: Backbone, task: PreparedTask, prompts: list[TunedPrompt], cells: list[dict[str, Any]]
) -> dict[str, Any]:  # fmt: skip
    """points: of each prompt how far its score lies off the recorded one; answers: what it says, packed."""
    images, labels = task.images("test"), np.asarray(task.labels("test"))
    logits = evaluate.answers(model, task.task.class_names, images, encode_images(model, images), [one.prompts for one in prompts])
    found = [float(metrics.score(task.task.metric, own, labels).value) for own in logits]
    return {
        "points": [100 * (score - cell["score"]) for score, cell in zip(found, cells, strict=True)],
        "answers": [packed_classes(own.argmax(1)) for own in logits], "images": len(labels),
    }  # fmt: skip


PARTS = {"scores": scores, "tuning": tuning}


def measure(study: Study, notes: Path, part: str, methods: list[str], ways: list[str], seeds: list[int], tasks: list[str]) -> None:
    for method in methods:
        for way in ways:
            model = model_of(study, way)
            for seed in seeds:
                for name in tasks:
                    note = _note(notes, part, method, way, seed, name)
                    if not note.exists():
                        replace(note, json.dumps(PARTS[part](study, model, method, name, seed)).encode())
                print(part, method, way, seed, flush=True)


def _note(notes: Path, part: str, method: str, way: str, seed: int, task: str) -> Path:
    return notes / f"{part}-{method}-{way.replace(', ', '+')}-{seed}-{task}.json"


def table(study: Study, notes: Path) -> Iterator[dict[str, Any]]:
    """A row for each part, method and way, of the seeds of which all tasks are there."""
    for part in PARTS:
        for method in study.methods:
            for way in WAYS:
                paths = {seed: [_note(notes, part, method, way, seed, name) for name in study.tasks] for seed in study.seeds}
                found = {seed: [json.loads(path.read_bytes()) for path in own] for seed, own in paths.items() if all(map(Path.exists, own))}
                if found:
                    points = np.array([[one["points"] for one in own] for own in found.values()])
                    changed = [_changed(study, notes, method, seed, own) for seed, own in found.items()]
                    known = [share for share in changed if not np.isnan(share)]
                    row: dict[str, Any] = {"part": part, "method": method, "way": way, "seeds": [*found]}
                    row |= summary(points, study.tasks, _of_two_classes(study)) | (
                        {} if part == "tuning" else {"residual_rms": residual(points)}
                    )
                    row |= {"changed": float(np.mean(known)) if known else None}
                    yield {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def _changed(study: Study, notes: Path, method: str, seed: int, found: list[dict[str, Any]]) -> float:
    """Per cent of answers that are not those of float32; NaN where these were not noted."""
    shares = []
    for name, own in zip(study.tasks, found, strict=True):
        path = _note(notes, "scores", method, FLOAT32, seed, name)
        if path.exists():
            plain = json.loads(path.read_bytes())["answers"]
            plain = [plain[study.tasks.index(name)]] if len(own["answers"]) == 1 else plain
            shares.append(np.mean([_answers(a, own) != _answers(b, own) for a, b in zip(own["answers"], plain, strict=True)]))
    return 100 * float(np.mean(shares)) if len(shares) == len(study.tasks) else float("nan")


def _answers(packed: str, own: dict[str, Any]) -> np.ndarray:
    found = answered_classes({"answers": packed, "n_test": own["images"], "per_class": range(2**16)})
    assert found is not None
    return found


def _of_two_classes(study: Study) -> list[bool]:
    return [len(PreparedTask.open(study.paths.task_folder(name)).task.class_names) == 2 for name in study.tasks]


def summary(cube: np.ndarray, tasks: Sequence[str], two_classes: Sequence[bool]) -> dict[str, Any]:
    """cube: points (seeds, tasks, prompts) by which scores lie off those of float32; two_classes: by task whether it has no more.

    bias: their mean, with the half width of its interval of 95 %, by Student's t of the means of tasks as independent draws: what seeds
    and prompts of a task have in common is in it.
    """
    means, most = cube.mean((0, 2)), np.abs(cube).max((0, 2))
    return {
        "cells": cube.size, "mean_abs": float(np.abs(cube).mean()), "rms": float(np.sqrt((cube**2).mean())),
        "max": float(most.max()), "max_task": tasks[int(most.argmax())],
        "max_two_classes": float(most[np.array(two_classes, bool)].max(initial=0.0)), "bias": float(cube.mean()),
        "bias_half": float(t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5),
    }  # fmt: skip


def residual(cube: np.ndarray) -> float:
    """Root mean square of (seeds, tasks, prompts) without what belongs to a task or a prompt alone, which is what transfer is about."""
    left = cube - cube.mean(1, keepdims=True) - cube.mean(2, keepdims=True) + cube.mean((1, 2), keepdims=True)
    return float(np.sqrt((left**2).mean()))


COLUMNS = ("seeds", "cells", "changed answers, %", "mean abs", "rms", "largest", "largest, two classes", "bias")
TITLES = {"coop": "CoOp", "vpt": "VPT", "upt": "UPT"}


def markdown(rows: Sequence[Mapping[str, Any]], part: str) -> str:
    """The table of docs/gpu.md: what the precisions that can be set do to scores, in points."""
    shown = [row for row in rows if row["part"] == part and row["way"] in (TF32, FLOAT16)]
    lines = [f"| {' | '.join(('', *COLUMNS))} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in shown:
        numbers = (f"{row[key]:.{digits}f}" for key, digits in (("mean_abs", 3), ("rms", 3), ("max", 2), ("max_two_classes", 2)))
        cells = (
            f"{TITLES[row['method']]} `{row['way']}`", ", ".join(map(str, row["seeds"])), f"{row['cells']:,}",
            "" if row["changed"] is None else f"{row['changed']:.3f}", *numbers, f"{row['bias']:+.3f} +- {row['bias_half']:.3f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, help="folder of a finished study with the usual settings")
    parser.add_argument("notes", type=Path)
    parser.add_argument("--part", choices=PARTS, default="scores")
    parser.add_argument("--methods", default="coop,vpt,upt")
    parser.add_argument("--ways", default=f"{FLOAT16},{TF32}")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--tasks", default="")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    study = Study({"study": options.study.name, "results": str(options.study.parent)})
    if options.out is None:
        tasks = options.tasks.split(",") if options.tasks else list(study.tasks)
        options.notes.mkdir(parents=True, exist_ok=True)
        ways = [way.strip().replace("+text", ", text too").replace("+sums", ", other sums") for way in options.ways.split(",")]
        measure(study, options.notes, options.part, options.methods.split(","), ways, [*map(int, options.seeds.split(","))], tasks)
        return
    rows = list(table(study, options.notes))
    options.out.write_text("[\n" + ",\n".join(f" {json.dumps(row)}" for row in rows) + "\n]\n")
    print("\n\n".join(markdown(rows, part) for part in PARTS))


if __name__ == "__main__":
    main()
