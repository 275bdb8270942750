"""Is a prompt tuned better from the candidates that `recommend --tune 3` starts from than from untrained prompts?

On each task of a finished study of the embedded benchmark, with prompts of the other tasks as candidates and labelled images of fresh
draws: all is chosen on the images that `--tune` sets aside, and scored on the test images, once it is chosen. Every task and draw is a
file in the output folder, so a run that was stopped goes on where it was; what is there is told at the end, and written as a record.

    python benchmarks/recommended_starts.py results/mini -o starts --record docs/tune_mini.json
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from promptatlas.analysis.statistics.jackknife import interval, leave_one_out
from promptatlas.backbone import Backbone, load
from promptatlas.backbone.encode import encode_images
from promptatlas.base import files
from promptatlas.evaluation import evaluate
from promptatlas.recommendation import candidates, labelled, overlap, trying, tuning
from promptatlas.recommendation.candidates import CandidateFile, Found
from promptatlas.recommendation.labelled import Labelled, Wanted
from promptatlas.recommendation.tuning import AS_IT_IS, HAND_WRITTEN, TUNED, Contender
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.training import single_task

STARTS = 3
UNTRAINED = STARTS + 1  # as many prompts tuned from nothing as there are starts and an untrained one
DRAWS = (4, 5, 6)  # no prompt of the default study was trained with them
ARMS = ("starts", "longer")
ALIKE = 0.001  # points: means of equal scores may differ in their last digits

BY_HAND, RECOMMENDED, MIXED, SCRATCH, LONGER, BEST, ONE = (
    "hand-written", "recommend --tune 3", "3 starts and an untrained one", "4 untrained starts", "an untrained start, 4 times the epochs",
    "the best start", "an untrained start",
)  # fmt: skip
HOWS = (BY_HAND, RECOMMENDED, MIXED, SCRATCH, LONGER, BEST, ONE)
WHAT = (
    "Test scores of what is chosen on a quarter of 16 labelled images per class, tuned on the rest; candidates are the prompts of "
    "the other tasks. Means and differences in points, draws averaged; low and high 95 % by deleting each task; scores are shares of 1."
)
PAIRS = ((RECOMMENDED, BY_HAND), (MIXED, SCRATCH), (MIXED, LONGER), (BEST, ONE), (RECOMMENDED, SCRATCH))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--methods", nargs="+", default=["coop", "vpt", "upt"])
    parser.add_argument("--draws", nargs="+", type=int, default=list(DRAWS), help="seeds of the draws")
    parser.add_argument("--tasks", nargs="+", default=list(MINI_TASKS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="longer: one untrained start with 4 times the epochs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--record", type=Path, help="JSON file for the means and differences of all that is in the folder")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    model = load(options.study / "backbone")
    with tempfile.TemporaryDirectory() as scratch:
        found = candidates.collect([options.study], Path(scratch))
        for method in options.methods:
            for arm in options.arms:
                for task in options.tasks:
                    missing = [draw for draw in options.draws if not piece(options.output, method, task, draw, arm).exists()]
                    if missing:
                        measure(model, found, method, task, missing, arm, options.output)
    rows = pieces(options.output)
    print("\n".join(lines(rows)))
    if options.record:
        files.replace(options.record, record(rows).encode())


def piece(folder: Path, method: str, task: str, draw: int, arm: str) -> Path:
    return folder / f"{method}-{task}-{draw}-{arm}.json"


def measure(model: Backbone, found: Found, method: str, task: str, draws: Sequence[int], arm: str, folder: Path) -> None:
    """All draws of a task side by side; a piece is written for each."""
    every = {draw: labelled.embedded(task, Wanted(model.architecture.image_size, "crop", None, draw)) for draw in draws}
    for draw, scores in (from_starts if arm == "starts" else with_more_epochs)(model, found, method, every).items():
        told = [{"how": how, "score": score} for how, score in scores.items()]
        files.replace(piece(folder, method, task, draw, arm), json.dumps(told).encode())
        print(method, task, draw, *(f"{100 * score:.1f}" for score in scores.values()), flush=True)


@dataclass(frozen=True)
class Drawn:
    """A draw of a target: its images, which of them are for what, and the candidates to start from."""

    target: Labelled
    draw: Draw
    starts: list[CandidateFile]


def from_starts(model: Backbone, found: Found, method: str, every: Mapping[int, Labelled]) -> dict[int, dict[str, float]]:
    """Test scores by draw and way, each of the prompt that is chosen on the images that are set aside."""
    usual = settings_of_method(found, method)
    draws = {seed: drawn(model, found, method, target, seed) for seed, target in every.items()}
    begun = {seed: [TunedPrompt.load(file.path)[0] for file in one.starts] for seed, one in draws.items()}
    begun = {seed: some + [single_task.scratch(model, method, usual, own) for own in seeds(seed)] for seed, some in begun.items()}
    tuned = side_by_side(model, method, usual, draws, {seed: [seed] * STARTS + seeds(seed) for seed in draws}, begun)
    scores = {}
    for seed, one in draws.items():
        contenders = judged(model, method, one, begun[seed], tuned[seed])
        found_by = choices(contenders)
        scores[seed] = dict(zip(found_by, tested(model, one.target.task.name, list(found_by.values())), strict=True))
    return scores


def seeds(draw: int) -> list[int]:
    """Of the untrained prompts; the first is that of `recommend --tune`, whose seed is the draw's."""
    return [draw + 1000 * number for number in range(UNTRAINED)]


def settings_of_method(found: Found, method: str) -> dict:
    """Those that the study trained its prompts with."""
    return json.loads(next(text for file in found.files if file.method == method and (text := candidates.settings_of(file))))


def drawn(model: Backbone, found: Found, method: str, target: Labelled, seed: int) -> Drawn:
    own = replace(found, files=[file for file in found.files if file.method == method], left_out={})
    overlap.leave_out_own(own, target.task, target.images, known=True)
    with torch.no_grad():
        tried = trying.try_all(model, target, own, lambda line: None)
    draw = tuning.draw_of(target)
    return Drawn(target, draw, tuning.starts_of(tried, draw, STARTS))


def side_by_side(
    model: Backbone, method: str, usual: dict, draws: Mapping[int, Drawn], own: Mapping[int, list[int]],
    begun: Mapping[int, list[TunedPrompt]] | None,
) -> dict[int, list[TunedPrompt]]:  # fmt: skip
    """Tuned prompts by draw. own: the seeds of those of each draw; begun: what they start from, None for untrained."""
    targets = [one.target for one in draws.values()]
    pool = replace(
        targets[0], images=np.concatenate([one.images for one in targets]), labels=np.concatenate([one.labels for one in targets])
    )
    place, moved = 0, {}
    for seed, one in draws.items():
        moved[seed] = replace(one.draw, train=one.draw.train + place, validation=one.draw.validation + place)
        place += len(one.target.labels)
    several = [moved[seed] for seed in draws for _ in own[seed]]
    starts = None if begun is None else [prompt for seed in draws for prompt in begun[seed]]
    with tempfile.TemporaryDirectory() as folder:
        task = tuning.prepared_task(pool, Path(folder) / "task")
        tuned = iter(single_task.tune_task(model, method, usual, task, several, [one for seed in draws for one in own[seed]], starts))
    return {seed: [next(tuned) for _ in own[seed]] for seed in draws}


def judged(model: Backbone, method: str, one: Drawn, begun: Sequence[TunedPrompt], tuned: Sequence[TunedPrompt]) -> list[Contender]:
    """On the images that are set aside: the zero-shot prompt, the starts as they are, all that was tuned, untrained ones last."""
    scores = tuning.ValidationScores(model, one.target, one.draw.validation)
    files_of = [*one.starts, *one.starts, *[None] * UNTRAINED]
    hows, prompts = [AS_IT_IS] * STARTS + [TUNED] * len(tuned), [*begun[:STARTS], *tuned]
    values = scores([prompt.prompts for prompt in prompts])
    rest = zip(hows, files_of, values, prompts, strict=True)
    return [
        Contender(HAND_WRITTEN, "", None, *scores.hand_written(), None),
        *(Contender(how, method, file, *value, prompt) for how, file, value, prompt in rest),
    ]


def choices(contenders: Sequence[Contender]) -> dict[str, TunedPrompt | None]:
    """What is chosen of them, by way. None is the zero-shot prompt."""
    alone, several = contenders[-UNTRAINED], contenders[-UNTRAINED:]
    offered = contenders[: 1 - UNTRAINED]  # what `recommend --tune` compares: of the untrained prompts the first
    mixed = [one for one in offered if one.how == TUNED]
    return {
        BY_HAND: None,
        RECOMMENDED: tuning.best_first(offered)[0].prompt,
        MIXED: tuning.best_first(mixed)[0].prompt,
        SCRATCH: tuning.best_first(several)[0].prompt,
        BEST: mixed[0].prompt,
        ONE: alone.prompt,
    }


def with_more_epochs(model: Backbone, found: Found, method: str, every: Mapping[int, Labelled]) -> dict[int, dict[str, float]]:
    """The same budget in total, spent on one untrained prompt."""
    usual = settings_of_method(found, method)
    usual |= {"epochs": usual["epochs"] * UNTRAINED}
    draws = {seed: Drawn(target, tuning.draw_of(target), []) for seed, target in every.items()}
    tuned = side_by_side(model, method, usual, draws, {seed: [seed] for seed in draws}, None)
    return {seed: {LONGER: tested(model, one.target.task.name, tuned[seed])[0]} for seed, one in draws.items()}


@cache
def test_images(task: str) -> tuple[np.ndarray, np.ndarray]:
    mini = MINI_TASKS[task]
    images, factors = mini.images.split("test", mini.sizes["test"])
    return images, mini.labels(factors)


def tested(model: Backbone, task: str, prompts: Sequence[TunedPrompt | None]) -> list[float]:
    """Test scores; None is the zero-shot prompt."""
    (images, labels), about = test_images(task), MINI_TASKS[task].task
    features = encode_images(model, images)
    weights = model.class_features(about.class_names, about.templates).numpy()
    distinct = {id(one): one.prompts for one in prompts if one}
    answers = dict(zip(distinct, evaluate.answers(model, about.class_names, images, features, list(distinct.values())), strict=True))
    logits = [answers[id(one)] if one else model.logit_scale * features @ weights.T for one in prompts]
    return [metrics.score(about.metric, one, labels).value for one in logits]


def pieces(folder: Path) -> pd.DataFrame:
    """What has been measured: method, task, draw, how, score. Draws that some task lacks are left out: means would be of other tasks."""
    rows = []
    for file in sorted(folder.glob("*-*-*-*.json")):
        method, task, draw, _ = file.stem.split("-")
        rows += [{"method": method, "task": task, "draw": int(draw), **one} for one in json.loads(file.read_text())]
    found = pd.DataFrame(rows)
    count = found.groupby(["method", "draw", "how"])["task"].transform("size")
    return found[count == found["task"].nunique()]


def means(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean test scores of each way over tasks, draws averaged first, in points."""
    by_task = rows.groupby(["method", "how", "task"], sort=False)["score"].agg(["mean", "size"]).reset_index()
    grouped = by_task.groupby(["method", "how"], sort=False)
    found = pd.DataFrame({"tasks": grouped.size(), "draws": grouped["size"].max(), "score": 100 * grouped["mean"].mean()}).reset_index()
    return found.sort_values("how", key=lambda names: names.map(HOWS.index), kind="stable").sort_values("method", kind="stable")


def differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean differences of PAIRS in points, over the draws that both have, with 95 % intervals by deleting each task in turn."""
    found = []
    for method, own in rows.groupby("method", sort=False):
        scores = 100 * own.pivot_table(index=["task", "draw"], columns="how", values="score")
        for one, other in (pair for pair in PAIRS if set(pair) <= set(scores)):
            both = (scores[one] - scores[other]).dropna()
            gap = both.groupby("task").mean().to_numpy()
            low, high = interval(
                gap.mean(), leave_one_out(len(gap), lambda place, gap=gap: np.delete(gap, place).mean()) if len(gap) > 1 else []
            )
            found.append(
                {"method": method, "one": one, "other": other, "tasks": len(gap), "draws": int(both.groupby("task").size().max()),
                 "difference": gap.mean(), "low": low, "high": high, "better": int((gap > ALIKE).sum()), "worse": int((gap < -ALIKE).sum())}
            )  # fmt: skip
    return pd.DataFrame(found)


def lines(rows: pd.DataFrame) -> list[str]:
    told = [f"{one.score:5.1f}  {one.method}, {one.how} ({one.tasks} tasks, {one.draws} draws)" for one in means(rows).itertuples()]
    return told + [
        f"{one.difference:+5.1f} ({one.low:+.1f} to {one.high:+.1f})  {one.method}, {one.one} against {one.other}, "
        f"better in {one.better} and worse in {one.worse} of {one.tasks} tasks, {one.draws} draws"
        for one in differences(rows).itertuples()
    ]


def record(rows: pd.DataFrame) -> str:
    """Means and differences in points and every score, a line each, as JSON."""
    wide = rows.pivot_table(index=["method", "task", "draw"], columns="how", values="score", sort=False)[
        [how for how in HOWS if how in {*rows["how"]}]
    ]
    tables = {"means": means(rows), "differences": differences(rows), "scores": wide.reset_index()}
    parts = [f'"what": {json.dumps(WHAT)}']
    for name, table in tables.items():
        cells = [
            [None if isinstance(cell, float) and not math.isfinite(cell) else cell for cell in row]
            for row in table.round(6).values.tolist()
        ]
        body = ",\n".join(f"  {json.dumps(row)}" for row in cells)
        parts.append(f'"{name}": {{"columns": {json.dumps(list(table))}, "rows": [\n{body}\n]}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
