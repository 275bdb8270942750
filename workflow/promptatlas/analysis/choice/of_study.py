"""Evidence from a study: what prompts of other tasks score on the labelled images that they were tried on, and on the test images.

Reads tries and the table `transfer`; knows nothing of how a prompt is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from promptatlas.analysis.choice.book import COLUMNS, FEWEST_TASKS, book
from promptatlas.analysis.choice.evidence import Candidate, Evidence, together
from promptatlas.base.errors import Failed
from promptatlas.base.messages import counted
from promptatlas.base.progress import Say
from promptatlas.evaluation.contributions import contributions
from promptatlas.evaluation.similarity import TRUTH
from promptatlas.records.tries_file import TriedPrompt, Tries, read_tries
from promptatlas.study.protocols import FROZEN, SCRATCH, TEMPLATE
from promptatlas.study.study import Study
from promptatlas.tasks import metrics
from promptatlas.tasks.prepared import PreparedTask

HAND_WRITTEN = TriedPrompt(TEMPLATE, None)


class Evidences:
    """The evidence of a finished study. transfer, similarity: its tables of these names; how close a candidate's source is to the target
    is a measure like others, but for the known truth. What cannot be said of a target is told to `say`."""

    def __init__(self, study: Study, transfer: pd.DataFrame, say: Say, similarity: pd.DataFrame | None = None) -> None:
        self.study, self.say = study, say
        self.similarity = None if similarity is None else similarity[similarity["family"] != TRUTH]
        self.transfer = transfer[transfer["protocol"] == FROZEN.name]

    def every(self) -> list[Evidence]:
        """Of each method and, where there are several, of all prompts together; of each target, number of images and draw."""
        by_method = [list(self.of_method(method)) for method in self.study.methods]
        joined: dict[tuple, list[Evidence]] = {}
        for one in (one for some in by_method for one in some):
            joined.setdefault((one.target, one.shots, one.draw), []).append(one)
        several = len(by_method) > 1
        return [one for some in by_method for one in some] + [together(some) for some in joined.values() if several and len(some) > 1]

    def of_method(self, method: str) -> Iterator[Evidence]:
        """Evidence on every target whose zero-shot prompt has been measured."""
        for target in self.study.tasks:
            try:
                tries, task = read_tries(self.study.paths.tries(method, target)), PreparedTask.open(self.study.paths.task_folder(target))
            except Failed as why:
                self.say(f"no choice for {target} by {method}: {why}")
                continue
            truth, close = self._truth(method, target), self._closeness(method, target)
            if HAND_WRITTEN not in tries.places or not np.isfinite(truth.get(HAND_WRITTEN, np.nan)):
                self.say(f"no choice for {target} by {method}: the zero-shot prompt has no score")
                continue
            for shots in tries.levels:
                for draw in tries.draws:
                    rows = tries.rows(draw, shots)
                    if told := metrics.undefined(task.task.metric, tries.labels[rows]):
                        self.say(f"no choice for {target} from draw {draw} with {counted(shots, 'image')} per class: {told}")
                        continue
                    yield _evidence(method, target, task.task.metric, tries, draw, shots, truth, close)

    def _truth(self, method: str, target: str) -> dict[TriedPrompt, float]:
        """The test score of each prompt; NaN where it failed."""
        cells = self._cells.get((method, target), self.transfer[:0])
        return {
            TriedPrompt(source, None if source == TEMPLATE else int(seed)): float(score)
            for source, seed, score in zip(cells["source"], cells["seed"], cells["score"], strict=True)
        }

    def _closeness(self, method: str, target: str) -> dict[str, dict[tuple[str, int | None], float]]:
        """By measure and by source and seed, which is None where a measure looks at no prompts, how close a source is to the target."""
        if self.similarity is None:
            return {}
        table = self.similarity
        own = table[(table["target"] == target) & table["method"].fillna("").isin(("", method))]
        return {
            name: {
                (source, None if pd.isna(seed) else int(seed)): float(value)
                for source, seed, value in zip(part["source"], part["seed"], part["value"], strict=True)
            }
            for name, part in own.groupby("measure", sort=False)
        }

    @cached_property
    def _cells(self) -> Mapping[tuple[str, str], pd.DataFrame]:
        return dict(iter(self.transfer.groupby(["method", "target"])))


def _evidence(
    method: str, target: str, metric: str, tries: Tries, draw: int, shots: int, truth: Mapping[TriedPrompt, float],
    close: Mapping[str, Mapping[tuple[str, int | None], float]],
) -> Evidence:  # fmt: skip
    """Evidence from the images of one draw."""
    rows = tries.rows(draw, shots)
    known = dict(zip(tries.prompts, contributions(metric, tries.answers[:, rows], tries.labels[rows]), strict=True))
    prompts = [prompt for prompt in tries.marks if prompt.source not in (SCRATCH, TEMPLATE)]
    untuned = [prompt for prompt in tries.prompts if prompt.source == SCRATCH]
    missing = np.full(len(rows), np.nan)
    return Evidence(
        target,
        tuple(Candidate(method, source, int(seed or 0)) for source, seed in prompts),
        np.array([known.get(prompt, missing) for prompt in prompts]).reshape(len(prompts), len(rows)),
        known[HAND_WRITTEN],
        tries.labels[rows],
        draw,
        shots,
        untuned=np.mean([known[prompt] for prompt in untuned], axis=0) if untuned else None,
        measures=_measures(_estimates(tries, prompts, draw, shots) | _places(close, prompts)),
        truth=np.array([truth.get(prompt, np.nan) for prompt in prompts]),
        reference_truth=truth[HAND_WRITTEN],
        untuned_truth=_mean([truth.get(prompt, np.nan) for prompt in untuned]),
    )


def _estimates(tries: Tries, prompts: Sequence[TriedPrompt], draw: int, shots: int) -> dict[str, np.ndarray]:
    """By estimator what it gives of each prompt, NaN of one that has no answers."""
    places = [tries.places.get(prompt) for prompt in prompts]
    return {
        name: np.array([np.nan if place is None else values[place] for place in places], dtype=np.float64)
        for name, values in tries.estimated(draw, shots).items()
    }


def _places(close: Mapping[str, Mapping[tuple[str, int | None], float]], prompts: Sequence[TriedPrompt]) -> dict[str, np.ndarray]:
    """By measure how close the source of each prompt is, NaN of one that is not known."""
    return {
        name: np.array([values.get((one.source, one.seed), values.get((one.source, None), np.nan)) for one in prompts])
        for name, values in close.items()
    }


def _measures(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those that have a value for any prompt."""
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def table(study: Study, transfer: pd.DataFrame, say: Say, similarity: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table `choice` of a study from its tables `transfer` and `similarity`; it has no row where too few tasks have been measured."""
    evidences = Evidences(study, transfer, say, similarity).every()
    parts: dict[tuple, set[str]] = {}
    for one in evidences:
        if (one.usable & np.isfinite(np.asarray(one.truth))).any():
            parts.setdefault((one.methods, one.shots), set()).add(one.target)
    judged = [one for one in evidences if len(parts.get((one.methods, one.shots), ())) >= FEWEST_TASKS]
    if not judged:
        say(f"the table `choice` is empty: how well a prompt can be chosen needs {FEWEST_TASKS} tasks or more with scores")
        return pd.DataFrame(columns=COLUMNS)
    return book(judged)
