"""Is a prompt tuned better from the candidates that `recommend --tune 3` starts from than from untrained prompts?

On each task of a finished study of the embedded benchmark, with prompts of the other tasks as candidates and labelled images of fresh
draws: all is chosen on the images that `--tune` sets aside, and scored on the test images.

    python benchmarks/recommended_starts.py results/mini coop --draws 3 -o starts.csv
"""

import argparse
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from promptatlas.analysis.statistics.jackknife import interval
from promptatlas.backbone import Backbone, load
from promptatlas.backbone.encode import encode_images
from promptatlas.base.files import replace
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.recommendation import candidates, labelled, overlap, trying, tuning
from promptatlas.recommendation.labelled import Labelled, Wanted
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.training import single_task

STARTS = 3
FIRST_DRAW = 4  # no prompt of the default study was trained with it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("method")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=list(MINI_TASKS))
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    model, rows = load(options.study / "backbone"), []
    for draw in range(FIRST_DRAW, FIRST_DRAW + options.draws):
        for task in options.tasks:
            rows += [{"task": task, "draw": draw, **row} for row in compared(model, options.study, options.method, task, draw)]
            replace(options.output, pd.DataFrame(rows).to_csv(index=False).encode())
            print(draw, task, *(f"{100 * row['score']:.1f}" for row in rows if (row["task"], row["draw"]) == (task, draw)), flush=True)
    print("\n".join(lines(pd.DataFrame(rows))))


def compared(model: Backbone, study: Path, method: str, task: str, draw: int) -> list[dict]:
    """Test scores of what is chosen on the images that are set aside, by how it was come by."""
    target = labelled.embedded(task, Wanted(model.architecture.image_size, "crop", None, draw))
    with tempfile.TemporaryDirectory() as folder:
        found = candidates.collect([study], Path(folder))
        found.files = [file for file in found.files if file.method == method]
        overlap.leave_out_own(found, target, known=True)
        with torch.no_grad():
            tried = trying.try_all(model, target, found, lambda line: None)
        tuned = tuning.tune(model, target, tried, STARTS, draw, Path(folder) / "task", lambda line: None)
        alone = from_scratch(model, method, target, tuned.draw, draw, Path(folder) / "scratch")
    after = [one for one in tuned.contenders if one.how == tuning.TUNED]
    best = next(one.start for one in found_first(tuned, tried))
    chosen = {
        "hand-written": None,
        "recommend --tune 3": tuned.winner.prompt,
        "3 starts and an untrained one": after[0].prompt,
        "the best start": next(one.prompt for one in after if one.start is best),
        "an untrained start": next(one.prompt for one in after if one.start is None),
        **alone,
    }
    return [{"how": how, "score": score} for how, score in zip(chosen, tested(model, task, list(chosen.values())), strict=True)]


def found_first(tuned: tuning.Tuning, tried: trying.Tried) -> list[tuning.Contender]:
    """The starts, best on the images that are tuned on first."""
    rows = {id(file): row for file, row in zip(tried.files, tried.rows, strict=True)}
    starts = [one for one in tuned.contenders if one.how == tuning.AS_IT_IS]
    return sorted(starts, key=lambda one: -rows[id(one.start)].contributions[tuned.draw.train].mean())


def from_scratch(model: Backbone, method: str, target: Labelled, drawn: Draw, seed: int, folder: Path) -> dict[str, TunedPrompt]:
    """The same budget in total, spent on untrained prompts: as many starts, or one for as many epochs."""
    task, usual = tuning.prepared_task(target, folder), settings(method, None, "mini")
    seeds = [seed + 1000 * number for number in range(STARTS + 1)]
    several = single_task.tune_task(model, method, usual, task, [drawn] * len(seeds), seeds)
    (longer,) = single_task.tune_task(model, method, usual | {"epochs": usual["epochs"] * len(seeds)}, task, [drawn], [seed])
    best = max(several, key=lambda prompt: prompt.history[prompt.best_epoch - 1]["validation_score"])
    return {"4 untrained starts": best, "an untrained start, 4 times the epochs": longer}


@cache
def test_images(task: str) -> tuple[np.ndarray, np.ndarray]:
    mini = MINI_TASKS[task]
    images, factors = mini.images.split("test", mini.sizes["test"])
    return images, mini.labels(factors)


def tested(model: Backbone, task: str, prompts: list[TunedPrompt | None]) -> list[float]:
    """Test scores; None is the hand-written prompt."""
    (images, labels), about = test_images(task), MINI_TASKS[task].task
    features = encode_images(model, images)
    weights = model.class_features(about.class_names, about.templates).numpy()
    every = iter(evaluate.answers(model, about.class_names, images, features, [one.prompts for one in prompts if one]))
    logits = [next(every) if one else model.logit_scale * features @ weights.T for one in prompts]
    return [metrics.score(about.metric, one, labels).value for one in logits]


PAIRS = (
    ("recommend --tune 3", "hand-written"),
    ("3 starts and an untrained one", "4 untrained starts"),
    ("3 starts and an untrained one", "an untrained start, 4 times the epochs"),
    ("the best start", "an untrained start"),
    ("recommend --tune 3", "4 untrained starts"),
)


def lines(rows: pd.DataFrame) -> list[str]:
    """Means over tasks in points, and differences with 95 % intervals by deleting each task in turn."""
    scores = 100 * rows.pivot_table(index="task", columns="how", values="score")
    told = [f"{scores[how].mean():5.1f}  {how}" for how in dict.fromkeys(rows["how"])]
    for one, other in PAIRS:
        gap = (scores[one] - scores[other]).to_numpy()
        low, high = interval(gap.mean(), [np.delete(gap, place).mean() for place in range(len(gap))])
        told.append(
            f"{gap.mean():+5.1f} ({low:+.1f} to {high:+.1f})  {one} against {other}, better in {(gap > 0).sum()} of {len(gap)} tasks"
        )
    return told


if __name__ == "__main__":
    main()
