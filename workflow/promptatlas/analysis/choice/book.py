"""The table `choice`: how well rules choose a prompt for a task of a study, from evidence on it alone and from the other tasks.

Nothing that is fitted or chosen (a margin, a list, coefficients) comes from the target, margins and coefficients neither from prompts that
were trained on it. Its test images are looked at by the oracle alone and, in seeds that are not scored, by `other_seeds`.

Two ways to count candidates. `all_seeds`: every prompt file, of all seeds of the sources. `one_seed`: the files of one seed at a
time, mean over seeds; there rules that know a source by its other seeds (`static_source` on the other targets, `other_seeds` on this
very target) select on these and are scored on the one, since the apparent best source of some seeds need not be so in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from promptatlas.analysis.choice.combination import Predictions, combine
from promptatlas.analysis.choice.decision import ALIKE
from promptatlas.analysis.choice.evidence import Candidate, Evidence
from promptatlas.analysis.choice.gains import gains
from promptatlas.analysis.choice.margin import Lead, chosen
from promptatlas.analysis.choice.scoring import QUANTITIES, Picks, candidates, scores
from promptatlas.analysis.statistics.jackknife import interval
from promptatlas.base.errors import UserError

ALL_SEEDS, ONE_SEED = "all_seeds", "one_seed"
NEW = ""  # a target that is none of the tasks
FEWEST_TASKS = 3
MEASURE = "measure:"
SHOWN = ("regret_1", "regret_3", "gain", "harmed", "used", "oracle_share")
COLUMNS = [
    "method", "shots", "candidates", "rule", "or_none", "n_tasks", "n_draws", "n_candidates", "margin", "margin_left_out",
    *(name for one in SHOWN for name in (one, f"{one}_low", f"{one}_high")),
]  # fmt: skip


@dataclass
class _Group:
    """Evidence that is judged together: of the same methods and shots, on candidates counted the same way.

    gains and errors by evidence: shrunk gains (P, 1 + S) with all candidates and without those of each of the S sources, and standard
    errors (P,).
    """

    evidences: list[Evidence]
    kind: str
    sources: tuple[str, ...] = field(init=False)
    there: list[np.ndarray] = field(init=False)
    shrunk: list[np.ndarray] = field(init=False)
    errors: list[np.ndarray] = field(init=False)
    true: list[np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        self.sources = tuple(sorted({source for one in self.evidences for source in one.sources.tolist()}))
        self.there = [candidates(one, self.sources) for one in self.evidences]
        self.shrunk, self.errors = [], []
        for one, there in zip(self.evidences, self.there, strict=True):
            whole = gains(one)
            columns = np.where(there, whole.shrunk[:, None], np.nan)
            for column in np.flatnonzero(~there.all(axis=0) & there.any(axis=0)):
                kept = there[:, column]
                columns[kept, column] = gains(one.among(kept)).shrunk
            self.shrunk.append(columns)
            self.errors.append(whole.error)
        self.true = [np.asarray(one.truth) - one.reference_truth for one in self.evidences]

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(sorted({one.target for one in self.evidences}))

    def column(self, task: str) -> int:
        """The column without a source; that of all candidates for a task that is none."""
        return 1 + self.sources.index(task) if task in self.sources else 0

    def leads(self, ranked: Sequence[np.ndarray], target: str) -> list[Lead]:
        """What leads on all targets but `target`, without its prompts, by predicted gains (P, 1 + S) of each evidence."""
        out = []
        for one, gain, error, true in zip(self.evidences, ranked, self.errors, self.true, strict=True):
            if one.target == target:
                continue
            own = gain[:, self.column(target)]
            value = np.where(np.isfinite(own), own, -np.inf)
            first = np.flatnonzero(np.isfinite(value) & (value >= value.max(initial=-np.inf) - ALIKE))
            out.append(Lead(one.target, own[first] / error[first], true[first]))
        return out


def book(evidences: Sequence[Evidence]) -> pd.DataFrame:
    """The table `choice` with COLUMNS, from evidence on the tasks of a study whose truth is known.

    Evidence of the same methods and shots makes one part of the table; each part has a row per rule and way to count candidates. The
    margin of `try` is chosen for all shots of the same methods at once: counted in standard errors it means the same for each. Of
    candidates that failed or whose truth is missing nothing is counted. Regrets and gains are in points, others are shares;
    `oracle_share` is the gain as a share of that of the best candidate or, where that is better, the zero-shot prompt. low and
    high: 95 % by deleting each task in turn, as a target and as a source, with what was fitted kept as it was. margin_left_out: mean over
    targets of the margins that were chosen without each; margin: the one for new data, chosen on all. UserError with fewer than three
    tasks.
    """
    parts: dict[str, dict[int | None, list[Evidence]]] = {}
    for one in evidences:
        if one.truth is None or not np.isfinite(one.reference_truth):
            raise UserError(f"choice for target {one.target!r}: its test scores are missing; run the study to its end first")
        parts.setdefault("+".join(one.methods), {}).setdefault(one.shots, []).append(one)
    rows = []
    for method, by_shots in parts.items():
        groups = [(shots, group) for shots, part in by_shots.items() for group in _groups(part)]
        for shots, group in groups:
            alike = [other for _, other in groups if other.kind == group.kind]
            rows += [{"method": method, "shots": shots, "candidates": group.kind, **row} for row in _rows(group, alike)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _groups(evidences: Sequence[Evidence]) -> Iterator[_Group]:
    known = [one.among(there) for one in evidences if (there := one.usable & np.isfinite(np.asarray(one.truth))).any()]
    if len({one.target for one in known}) < FEWEST_TASKS:
        raise UserError(
            f"how well a rule chooses needs {FEWEST_TASKS} tasks or more whose scores are known; measure more of the study first"
        )
    yield _Group(known, ALL_SEEDS)
    if len({seed for one in known for seed in one.seeds.tolist()}) > 1:
        yield _Group([one.among(one.seeds == seed) for one in known for seed in sorted(set(one.seeds.tolist()))], ONE_SEED)


def _rows(group: _Group, alike: Sequence[_Group]) -> Iterator[dict]:
    """alike: the groups of the same methods and way to count candidates, of all shots."""
    files = _files(group)
    raw = [one.differences.mean(axis=1) for one in group.evidences]
    measures = sorted({name for one in group.evidences for name in one.measures})
    rankings: dict[str, Sequence[np.ndarray]] = {
        "random": [np.zeros(len(one.candidates)) for one in group.evidences],
        "static_list": _static(group, files),
        "oracle": group.true,
        "try": raw,
    }
    if group.kind == ONE_SEED:
        rankings["static_source"] = _by_other_seeds(group, files, _elsewhere)
        rankings["other_seeds"] = _by_other_seeds(group, files, _here)
    for name in measures:
        gap = [np.full(len(one.candidates), np.nan) for one in group.evidences]
        rankings[f"{MEASURE}{name}"] = [one.measures.get(name, none) for one, none in zip(group.evidences, gap, strict=True)]
    combined = combine(group.evidences, measures) if measures else None
    if combined:
        rankings["combination"] = combined.own
    for rule, ranking in rankings.items():
        always = [Picks.always(np.asarray(own, float), there) for own, there in zip(ranking, group.there, strict=True)]
        yield _row(group, rule, always, False)
    better = [
        Picks(choice.ranking, choice.ranking > 0) for choice in (Picks.always(t, h) for t, h in zip(group.true, group.there, strict=True))
    ]
    yield _row(group, "oracle", better, True)
    margins = {target: chosen([lead for one in alike for lead in one.leads(one.shrunk, target)]) for target in (*group.targets, NEW)}
    yield _row(group, "try", _with_margin(group, group.shrunk, margins), True, margins)
    if combined:
        own = [np.where(there, one[:, None], np.nan) for one, there in zip(combined.own, group.there, strict=True)]
        margins = {target: chosen(group.leads(_beside(group, combined, target), target)) for target in group.targets}
        margins[NEW] = chosen(group.leads(own, NEW))
        yield _row(group, "combination", _with_margin(group, own, margins), True, margins)


def _beside(group: _Group, combined: Predictions, target: str) -> list[np.ndarray]:
    """Predictions (P, 1 + S) of every evidence that know nothing of `target`."""
    task = combined.tasks.index(target)
    return [np.where(there, one[task][:, None], np.nan) for one, there in zip(combined.beside, group.there, strict=True)]


def _with_margin(group: _Group, predicted: Sequence[np.ndarray], margins: dict[str, float]) -> list[Picks]:
    """The candidate with the largest predicted gain, if that is above the margin of its target in standard errors."""
    out = []
    for one, gain, error in zip(group.evidences, predicted, group.errors, strict=True):
        with np.errstate(invalid="ignore"):
            out.append(Picks(gain, gain > np.maximum(margins[one.target] * error, 0)[:, None] + ALIKE))
    return out


@dataclass(frozen=True)
class _TrueScores:
    """A prompt file with its true scores by target: the score, and that less the mean of candidates in standard deviations."""

    score: dict[str, float] = field(default_factory=dict)
    standard: dict[str, float] = field(default_factory=dict)


def _files(group: _Group) -> dict[Candidate, _TrueScores]:
    files: dict[Candidate, _TrueScores] = {}
    for one in group.evidences:
        truth = np.asarray(one.truth)
        spread = float(truth.std())
        for candidate, value in zip(one.candidates, truth, strict=True):
            file = files.setdefault(candidate, _TrueScores())
            file.score[one.target] = float(value)
            if spread:
                file.standard[one.target] = float((value - truth.mean()) / spread)
    return files


def _static(group: _Group, files: dict[Candidate, _TrueScores]) -> list[np.ndarray]:
    """Mean standardised true score of each file over the other targets."""
    return [np.array([_elsewhere([files[file]], one.target) for file in one.candidates]) for one in group.evidences]


def _by_other_seeds(
    group: _Group, files: dict[Candidate, _TrueScores], known: Callable[[list[_TrueScores], str], float]
) -> list[np.ndarray]:
    """What is `known` of the files of a candidate's method and source in all seeds but its own."""
    same: dict[tuple[str, str], list[Candidate]] = {}
    for file in files:
        same.setdefault((file.method, file.source), []).append(file)

    def of(candidate: Candidate, target: str) -> float:
        others = [files[two] for two in same[candidate.method, candidate.source] if two.seed != candidate.seed]
        return known(others, target)

    return [np.array([of(candidate, one.target) for candidate in one.candidates]) for one in group.evidences]


def _elsewhere(files: list[_TrueScores], target: str) -> float:
    return _or_nan([value for file in files for other, value in file.standard.items() if other != target])


def _here(files: list[_TrueScores], target: str) -> float:
    return _or_nan([file.score[target] for file in files if target in file.score])


def _or_nan(values: list[float]) -> float:
    return float(np.mean(values)) if values else np.nan


def _row(group: _Group, rule: str, choices: Sequence[Picks], or_none: bool, margins: dict[str, float] | None = None) -> dict:
    by_target: dict[str, list[np.ndarray]] = {}
    for one, choice, true in zip(group.evidences, choices, group.true, strict=True):
        by_target.setdefault(one.target, []).append(scores(choice, true, or_none))
    targets = tuple(by_target)
    mean = np.stack([_mean(np.stack(some)) for some in by_target.values()])  # (targets, 1 + S, 6)
    whole = _summary(mean[:, 0])
    tasks = sorted({*targets, *group.sources})
    kept = [np.array([target != task for target in targets]) for task in tasks]
    left_out = [_summary(mean[keep, group.column(task)]) for task, keep in zip(tasks, kept, strict=True)]
    row = {
        "rule": rule,
        "or_none": or_none,
        "n_tasks": int(np.isfinite(mean[:, 0, 0]).sum()),
        "n_draws": len({one.draw for one in group.evidences}),
        "n_candidates": int(max(len(one.candidates) for one in group.evidences)),
        "margin": margins[NEW] if margins else np.nan,
        "margin_left_out": float(np.mean([margins[target] for target in targets])) if margins else np.nan,
    }
    for name in SHOWN:
        low, high = interval(whole[name], [one[name] for one in left_out])
        row |= {name: whole[name], f"{name}_low": low, f"{name}_high": high}
    return row


def _summary(mean: np.ndarray) -> dict[str, float]:
    """From scores (T, 6) of targets."""
    over = dict(zip(QUANTITIES, _mean(mean), strict=True))
    return over | {"oracle_share": over["gain"] / over["oracle_gain"] if over["oracle_gain"] > 0 else np.nan}


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what there is; NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=0)
    return np.divide(np.where(there, values, 0).sum(axis=0), count, out=np.full(values.shape[1:], np.nan), where=count > 0)
