"""A fitted combination: gains predicted from the try on the labelled images and from measures, by ridge regression.

What it says of a target is fitted on other tasks only, in both roles: neither a target's own rows nor prompts that were trained on it
take part. How strongly coefficients are shrunk is chosen by leaving out one more task in turn, in both roles again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.choice.evidence import Evidence
from promptatlas.analysis.choice.gains import gains

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0)


@dataclass(frozen=True)
class Predictions:
    """Predicted gains of the candidates of each evidence: own[e] (P,), fitted without its target; beside[e, t] (P,), fitted without its
    target and without task number t as well.
    """

    tasks: tuple[str, ...]
    own: list[np.ndarray]
    beside: list[np.ndarray]


def features(evidence: Evidence, measures: Sequence[str]) -> np.ndarray:
    """(P, 2 + M): one, the shrunk gain on the images, and each measure less its mean over candidates, in standard deviations; 0 where a
    measure has no value or is the same for all.
    """
    columns = [np.ones(len(evidence.candidates)), gains(evidence).shrunk]
    for name in measures:
        values = np.asarray(evidence.measures.get(name, np.full(len(evidence.candidates), np.nan)), float)
        there = np.isfinite(values)
        spread = values[there].std() if there.any() else 0.0
        level = values[there].mean() if there.any() else 0.0
        columns.append(np.where(there & (spread > 1e-12), (values - level) / (spread or 1.0), 0.0))
    return np.column_stack(columns)


def combine(evidences: Sequence[Evidence], measures: Sequence[str]) -> Predictions:
    """Predictions for evidence whose truth is known, of candidates that all have scores; those of a task count alike whatever its draws."""
    rows = [features(one, measures) for one in evidences]
    truths = [np.asarray(one.truth) - one.reference_truth for one in evidences]
    tasks = tuple(sorted({one.target for one in evidences} | {source for one in evidences for source in one.sources.tolist()}))
    number = {task: index for index, task in enumerate(tasks)}
    where = [number[one.target] for one in evidences]
    blocks = _blocks(evidences, rows, truths, number)
    whole = _Sums(blocks)
    own: list[np.ndarray] = [np.empty(0)] * len(evidences)
    beside = [np.full((len(tasks), len(one)), np.nan) for one in rows]
    for task in sorted(set(where)):
        without = [other for other in sorted(set(where)) if other != task]
        penalty = _penalty(whole, blocks, task, without)
        weights = whole.fit([task], penalty)
        for e in (e for e, target in enumerate(where) if target == task):
            own[e] = rows[e] @ weights
        for other in without:
            weights = whole.fit([task, other], penalty)
            for e in (e for e, target in enumerate(where) if target == other):
                beside[e][task] = rows[e] @ weights
    return Predictions(tasks, own, beside)


def _blocks(evidences: Sequence[Evidence], rows: list[np.ndarray], truths: list[np.ndarray], number: dict[str, int]) -> np.ndarray:
    """Cross products of features and truth by target and source task: (n, n, F + 1, F + 1)."""
    width = rows[0].shape[1] + 1
    draws = np.bincount([number[one.target] for one in evidences], minlength=len(number))
    blocks = np.zeros((len(number), len(number), width, width))
    for one, own, truth in zip(evidences, rows, truths, strict=True):
        target = number[one.target]
        joined = np.column_stack([own, truth])
        for source in set(one.sources.tolist()):
            some = joined[one.sources == source]
            blocks[target, number[source]] += some.T @ some / draws[target]
    return blocks


class _Sums:
    """Sums of blocks over targets and sources but for a few tasks, and what is fitted to them."""

    def __init__(self, blocks: np.ndarray) -> None:
        self.blocks, self.by_target, self.by_source = blocks, blocks.sum(axis=1), blocks.sum(axis=0)
        self.all = self.by_target.sum(axis=0)

    def without(self, tasks: list[int]) -> np.ndarray:
        """(F + 1, F + 1): neither rows nor columns of `tasks`."""
        crossed = self.blocks[np.ix_(tasks, tasks)].sum(axis=(0, 1))
        return np.asarray(self.all - self.by_target[tasks].sum(axis=0) - self.by_source[tasks].sum(axis=0) + crossed)

    def fit(self, tasks: list[int], penalty: float) -> np.ndarray:
        """Coefficients (F,) by ridge regression without `tasks`, of features in units of their size; that of the constant is not shrunk."""
        products = self.without(tasks)
        inner, outer = products[:-1, :-1], products[:-1, -1]
        scale = np.sqrt(np.maximum(np.diag(inner), 0) / max(inner[0, 0], 1e-12))
        scale[scale < 1e-12] = 1.0
        shrink = np.full(len(outer), penalty)
        shrink[0] = 1e-9
        return np.asarray(np.linalg.solve(inner / np.outer(scale, scale) + np.diag(shrink), outer / scale) / scale)


def _penalty(whole: _Sums, blocks: np.ndarray, task: int, others: list[int]) -> float:
    """The penalty with the least squared error on `others`, each predicted without itself and without `task`; the largest of equals."""
    if not others:
        return PENALTIES[-1]
    errors = []
    for penalty in PENALTIES:
        total = 0.0
        for other in others:
            weights = np.append(whole.fit([task, other], penalty), -1.0)
            total += float(weights @ (blocks[other].sum(axis=0) - blocks[other, task]) @ weights)
        errors.append(total)
    return PENALTIES[max(i for i, error in enumerate(errors) if error <= min(errors) * (1 + 1e-12))]
