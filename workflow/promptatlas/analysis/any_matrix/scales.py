"""The scales that a given matrix can be read on, and why it cannot be read on others.

The formulas are those of `statistics.scales`; here each asks for what it needs: a baseline, scores that are shares, a ceiling.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.any_matrix.given import Given, GivenMatrix
from promptatlas.analysis.statistics.relations import relationships
from promptatlas.analysis.statistics.scales import empirical_logit, gap_closed, seed_mean, shares_of_means
from promptatlas.analysis.statistics.views import VIEWS, View, ends
from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, suggest

Values = Callable[[GivenMatrix, np.ndarray], np.ndarray]  # scores (S, m, n), any of one matrix, to the same shape
RELATIONSHIP = "relationship"
NO_BASELINE = "it needs what was there before the transfer: a column `baseline`, or `--baseline` with a number or a source’s name"
QUANTILE = 0.98  # of absolute values, at which colours of a diverging view end


@dataclass(frozen=True)
class MatrixScale:
    """name: as in tables; title; unit: after a number, "%" of shares; zero: what zero means, where it means anything; about: the
    formula, in words."""

    name: str
    title: str
    unit: str
    zero: str
    about: str
    values: Values

    def matrix(self, one: GivenMatrix) -> np.ndarray:
        """All cells (S, n, n)."""
        return self.values(one, one.score)

    def rows(self, one: GivenMatrix) -> dict[str, np.ndarray]:
        """Rows beside the tasks: name -> (S, n)."""
        return {name: self.values(one, row[:, None])[:, 0] for name, row in one.rows.items()}

    def means(self, one: GivenMatrix) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """What is shown: means over seeds (n, n) and of the rows (n,). Shares of the best are of means, so that each target's best is 1."""
        if self.name == "column_ratio":
            return shares_of_means(one.score, one.rows)
        return seed_mean(self.matrix(one)), {name: seed_mean(row) for name, row in self.rows(one).items()}


def _ceiling(one: GivenMatrix, share: bool) -> np.ndarray:
    """(S, n): as given, else 1 where scores are shares, else none."""
    return one.ceiling if np.isfinite(one.ceiling).any() or not share else np.ones_like(one.baseline)


def _best(one: GivenMatrix) -> np.ndarray:
    """Best score of each target over all tasks as sources, per seed: (S, 1, n)."""
    best = np.where(np.isfinite(one.score), one.score, -np.inf).max(axis=1, keepdims=True)
    return np.where(best > 0, best, np.nan)


def beaten(score: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Share of the scores in `column` (S, n, n) of the same target, the source's own and the target's aside, that each of `score`
    (S, m, n) is above, ties counted half; m = n stands for the same sources, other m for rows that are none."""
    n = column.shape[-1]
    others = np.where(np.eye(n, dtype=bool), np.nan, column)
    same = score.shape[1] == n
    ranks = np.full(score.shape, np.nan)
    for target in range(n):
        versus = others[:, None, :, target]  # (S, 1, n)
        mine = score[:, :, None, target]
        aside = ~np.isfinite(versus) | (np.eye(n, dtype=bool)[None] if same else False)
        above = np.where(aside, 0.0, (mine > versus) + 0.5 * (mine == versus)).sum(axis=-1)
        count = (~aside).sum(axis=-1)
        ranks[:, :, target] = np.where(np.isfinite(score[:, :, target]) & (count > 0), above / np.maximum(count, 1), np.nan)
    return ranks


def available(given: Given) -> tuple[dict[str, MatrixScale], dict[str, str]]:
    """The scales by name, the one of headlines first, and for each other why it makes no sense here."""
    every = (_gain(given), _raw(given), _column_ratio(given), _perfection_gap(given), _log_odds(given), _rank())
    found = {one.name: one for one in every if isinstance(one, MatrixScale)}
    missing = dict(one for one in every if not isinstance(one, MatrixScale))
    for name, scale in [*found.items()]:
        if not any(np.isfinite(scale.matrix(one)).any() for one in given.matrices):
            missing[name] = f"no score has a value, as {_why_undefined(name)}"
            del found[name]
    return found, missing


def _based(given: Given) -> bool:
    return all(np.isfinite(one.baseline).any() for one in given.matrices)


def _scores(given: Given) -> np.ndarray:
    return np.concatenate([one.score[np.isfinite(one.score)] for one in given.matrices])


def _raw(given: Given) -> MatrixScale:
    share, scores = given.unit == "share", _scores(given)
    about = "the score as given" + (", times -1 as less is better" if given.turned else "")
    zero = "as given" if scores.min() < 0 < scores.max() else ""
    title = "Score, times −1" if given.turned else "Score as given"
    return MatrixScale("raw", title, "%" if share else "", zero, about, lambda one, score: score)


def _gain(given: Given) -> MatrixScale | tuple[str, str]:
    if not _based(given):
        return "gain", NO_BASELINE
    factor, unit = (100, "points") if given.unit == "share" else (1, "")
    return MatrixScale(
        "gain", "Gain over the baseline", unit, "the baseline of the target", "score minus baseline",
        lambda one, score: factor * (score - one.baseline[:, None]),
    )  # fmt: skip


def _column_ratio(given: Given) -> MatrixScale | tuple[str, str]:
    scores = _scores(given)
    if scores.min() < 0:
        return "column_ratio", "some scores are below zero, of which no share of the best can be told"
    if scores.max() == 0:
        return "column_ratio", "all scores are zero"
    about = "score divided by the best of its target, own score included"
    return MatrixScale("column_ratio", "Share of the target’s best score", "%", "", about, lambda one, score: score / _best(one))


def _perfection_gap(given: Given) -> MatrixScale | tuple[str, str]:
    share, known = given.unit == "share", [np.isfinite(one.ceiling).any() for one in given.matrices]
    if not _based(given):
        return "perfection_gap", NO_BASELINE
    if not share and not all(known):
        return "perfection_gap", "it needs the ceiling of each target: a column `ceiling`, or `--ceiling` with a number or a source’s name"
    about = "(score - baseline) / (ceiling - baseline)" + ("" if any(known) else ", the ceiling being 1")
    return MatrixScale(
        "perfection_gap", "Perfection gap factor", "", "the baseline; 1 = the ceiling", about,
        lambda one, score: gap_closed(score, one.baseline[:, None], _ceiling(one, share)[:, None]),
    )  # fmt: skip


def _log_odds(given: Given) -> MatrixScale | tuple[str, str]:
    based, tested = _based(given), all(np.isfinite(one.n_test).all() for one in given.matrices)
    if given.unit != "share":
        return "log_odds", "scores are no shares"
    compared = [_scores(given), *(one.baseline for one in given.matrices)]
    if not tested and any(((values <= 0) | (values >= 1)).any() for values in compared):
        return "log_odds", (
            "some scores are 0 or 1, whose log odds are not finite; a column `n_test` with the number of test images lends them half a hit"
        )

    def odds(score: np.ndarray, one: GivenMatrix) -> np.ndarray:
        return empirical_logit(score, one.n_test) if tested else np.log(score) - np.log1p(-score)

    if not based:
        half = "a score of one half"
        return MatrixScale("log_odds", "Log odds", "log odds", half, "log odds of the score", lambda one, score: odds(score, one))
    return MatrixScale(
        "logit_gain", "Gain in log odds", "log odds", "the baseline of the target", "log odds of the score, minus those of the baseline",
        lambda one, score: odds(score, one) - odds(one.baseline, one)[:, None],
    )  # fmt: skip


def _rank() -> MatrixScale:
    about = "rank among the sources of the same target, 0 the worst and 1 the best"
    return MatrixScale("rank", "Rank among the target’s sources", "%", "", about, lambda one, score: beaten(score, one.score))


def undefined(given: Given, scale: MatrixScale) -> str:
    """A sentence on scores that the scale gives no value, "" if there are none."""
    cells = sum(int((np.isfinite(one.score) & ~np.isfinite(scale.matrix(one))).sum()) for one in given.matrices)
    if not cells:
        return ""
    return f"{scale.title}: {counted(cells, 'score')} {'has' if cells == 1 else 'have'} no value, as {_why_undefined(scale.name)}."


def _why_undefined(name: str) -> str:
    reasons = {
        "perfection_gap": "the target’s baseline is missing or reaches its ceiling",
        "rank": "the target has no other source",
        "column_ratio": "the target has no score above zero",
    }
    return reasons.get(name, "the target’s baseline is missing")


def primary(scales: dict[str, MatrixScale], left_out: dict[str, str], wanted: str | None) -> MatrixScale:
    """The scale of headlines: the one asked for, else the gain over the baseline, else the score as given."""
    if wanted is None:
        return next(iter(scales.values()))
    if wanted in left_out:
        raise UserError(f"there is no scale '{wanted}' for these scores: {left_out[wanted]}")
    if wanted not in scales:
        raise UserError(f"there is no scale '{wanted}' for these scores; {suggest(wanted, scales)}")
    return scales[wanted]


def view_of(scale: MatrixScale, given: Given) -> View:
    """How a matrix on the scale is shown."""
    digits = 0 if scale.unit in ("%", "points") else _digits([scale.matrix(one) for one in given.matrices])
    ratio = "1 = best source of the target, itself among them"
    meaning = {"column_ratio": ratio, "rank": "0 = worst source of the target in every seed, 1 = best in every seed"}.get(scale.name, "")
    zero = f"0 = {scale.zero}" if scale.zero and scale.zero != "as given" else meaning
    farthest = VIEWS[scale.name].farthest if scale.name in VIEWS else None
    return View(scale.title, zero, bool(scale.zero), scale.unit, digits, farthest)


def relationship_view(scale: MatrixScale, given: Given) -> View:
    unit = "points" if scale.unit == "%" else scale.unit
    digits = 0 if unit == "points" else _digits([relationship(scale, one)[None] for one in given.matrices])
    return View("Who helps whom", "0 = what source and target alone would give", True, unit, digits)


def relationship(scale: MatrixScale, one: GivenMatrix) -> np.ndarray:
    """Relationship part (n, n) of the mean over seeds; of shares in points."""
    return relationships(seed_mean(scale.matrix(one))) * (100 if scale.unit == "%" else 1)


def _digits(parts: Sequence[np.ndarray]) -> int:
    """Decimals that tell scores of such size apart."""
    values = np.concatenate([np.abs(part[np.isfinite(part)]) for part in parts])
    large = float(np.quantile(values, 0.9)) if len(values) else 0.0
    return int(np.clip(1 - np.floor(np.log10(large)), 0, 4)) if large > 0 else 1


def limits(views: Sequence[np.ndarray], view: View) -> tuple[float, float]:
    """Colour limits that all methods (n, n) share: about zero, from 0 to 1, or from the least to the largest."""
    values = np.concatenate([one[np.isfinite(one)] for one in views])
    if not len(values):
        return (-1.0, 1.0) if view.diverging else (0.0, 1.0)
    if view.diverging:
        return ends(float(np.quantile(np.abs(values), QUANTILE)), view)
    if view.unit == "%":
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)
