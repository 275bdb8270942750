"""Columns of a finished study, from its table `transfer` and its cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.pairs.column import Column
from promptatlas.analysis.pairs.images import WeightedImages
from promptatlas.base.errors import Failed, UserError
from promptatlas.records import cells
from promptatlas.records.cells import Cell
from promptatlas.study.protocols import TEMPLATE
from promptatlas.study.study import Study
from promptatlas.tasks import metrics
from promptatlas.tasks.prepared import PreparedTask

NOT_MEASURED = "not measured"
NO_ANSWERS = (
    "its cells do not hold which images were answered right, as those of earlier versions; delete them and run again to have it said"
)
OTHER_ANSWERS = "its right answers do not make its score; delete its cells and run again to compute them anew"


def columns(study: Study, transfer: pd.DataFrame) -> Iterator[Column]:
    """One per protocol, method and target, in the order of the table, the answers of one column at a time in memory."""
    weighted = _Weighted(study)
    for (protocol, method, target), rows in transfer.groupby(["protocol", "method", "target"], sort=False):
        yield _Reader(study, protocol, method, target, rows, weighted).column()


class _Weighted:
    """How the test images of targets count, or why nothing is known of single images."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.found: dict[tuple[str, str, int], WeightedImages | str] = {}

    def of(self, target: str, metric: str, count: int) -> WeightedImages | str:
        key = target, metric, count
        if key not in self.found:
            self.found[key] = self._of(*key)
        return self.found[key]

    def _of(self, target: str, metric: str, count: int) -> WeightedImages | str:
        try:
            known = metrics.lookup(metric)
        except UserError as why:
            return str(why)
        if not known.of_right_answers or known.multilabel:
            return f"{known.title} is no mean of right answers, and cells hold nothing else of single images"
        if known.mean_over == "images":
            return WeightedImages.alike(count)
        try:
            labels = PreparedTask.open(self.study.paths.task_folder(target)).labels("test")
        except Failed as why:
            return str(why)
        if len(labels) != count:
            return f"the task has {len(labels)} test images now and cells were measured on {count}; run the study again"
        return WeightedImages.by_class(labels)


class _Reader:
    """The rows of one column as arrays, and the cells behind them."""

    def __init__(self, study: Study, protocol: str, method: str, target: str, rows: pd.DataFrame, weighted: _Weighted) -> None:
        self.study, self.address = study, (protocol, method, target)
        self.seeds, self.sources = sorted(rows["seed"].unique()), tuple(one for one in rows["source"].unique() if one != TEMPLATE)
        self.scores = {(row.source, row.seed): row.score for row in rows.itertuples()}
        self.failed = {(row.source, row.seed): row.failed for row in rows.itertuples()} if "failed" in rows else {}
        self.metric = str(rows["metric"].iloc[0])
        counts = rows["n_test"].dropna()
        self.n_test = int(counts.iloc[0]) if len(counts) else 0
        self.images: WeightedImages | str = NOT_MEASURED
        if self.n_test:
            self.images = weighted.of(target, self.metric, self.n_test)

    def column(self) -> Column:
        protocol, method, target = self.address
        scores = np.array([[self._score(source, seed) for seed in self.seeds] for source in self.sources]).reshape(-1, len(self.seeds))
        hand = next((seed for seed in self.seeds if np.isfinite(self._score(TEMPLATE, seed))), None)
        about: dict[str, Any] = {"zero_shot": np.nan if hand is None else self._score(TEMPLATE, hand)}
        reasons = [self._lacks(source, row) for source, row in zip(self.sources, scores, strict=True)]
        answered, told = np.zeros(len(self.sources), dtype=bool), self._without_hand(hand)
        if isinstance(self.images, str):
            told = told or self.images
        else:
            right = np.zeros((*scores.shape, self.n_test), dtype=bool)
            for place, source in enumerate(self.sources):
                found = [self._answers(source, seed) for seed, score in zip(self.seeds, scores[place], strict=True) if np.isfinite(score)]
                wrong = next((one for one in found if isinstance(one, str)), "")
                if found and not wrong:
                    right[place, np.isfinite(scores[place])] = found
                    answered[place] = True
                reasons[place] = _joined(reasons[place], wrong)
            reference = None if hand is None else self._answers(TEMPLATE, hand)
            if isinstance(reference, str):
                told, reference = f"the zero-shot prompt: {reference}", None
            about |= {"images": self.images, "right": right, "reference": reference}
        return Column(
            protocol, method, target, self.metric, self.n_test, self.sources, frozenset(self.study.tasks), scores, answered=answered,
            reasons=tuple(_joined(one, told if np.isfinite(row).any() else "") for one, row in zip(reasons, scores, strict=True)),
            seeds=tuple(map(int, self.seeds)), **about,
        )  # fmt: skip

    def _score(self, source: str, seed: int) -> float:
        return float(self.scores.get((source, seed), np.nan))

    def _lacks(self, source: str, scores: np.ndarray) -> str:
        """Which seeds of a source are missing, and why."""
        missing = [seed for seed, score in zip(self.seeds, scores, strict=True) if not np.isfinite(score)]
        if not missing:
            return ""
        why = next(filter(None, (self.failed.get((source, seed), "") for seed in missing)), "")
        if len(missing) == len(self.seeds):
            return f"failed: {why}" if why else NOT_MEASURED
        return f"{len(missing)} of {len(self.seeds)} seeds {f'failed: {why}' if why else 'are not measured'}"

    def _without_hand(self, hand: int | None) -> str:
        if hand is not None:
            return ""
        why = next(filter(None, (self.failed.get((TEMPLATE, seed), "") for seed in self.seeds)), "")
        return "the zero-shot prompt " + (f"failed: {why}" if why else "is not measured")

    def _answers(self, source: str, seed: int) -> np.ndarray | str:
        """Which images were answered right, (N,) bool, or why that is not known."""
        protocol, method, target = self.address
        cell = Cell(protocol, method, int(seed), target, source)
        try:
            record = cells.read_own(self.study.paths.cell(cell), cell)
        except UserError as why:
            return str(why)
        right = cells.right_answers(record)
        if right is None or isinstance(self.images, str):
            return NO_ANSWERS
        if len(right) != self.n_test or abs(self.images.mean(right) - self._score(source, seed)) > 1e-6:
            return OTHER_ANSWERS
        return right


def _joined(*words: str) -> str:
    return "; ".join(filter(None, words))
