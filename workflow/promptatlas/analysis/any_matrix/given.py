"""From records to dense arrays, one per method, and what was understood of them in sentences."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from promptatlas.analysis.any_matrix.columns import simple
from promptatlas.analysis.any_matrix.records import Records
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, plain, some, suggest

PROTOCOL = "matrix"  # where the file names none
MOST_TASKS = 250  # intervals leave out each in turn, so memory grows with the third power
MOST_NAMED = 6
UNITS = ("share", "percent", "other")
LOSSES = ("loss", "error", "err", "nll", "perplexity", "ppl", "rmse", "mse", "mae")
UNTUNED = ("zeroshot", "baseline", "base", "none", "untuned", "pretrained", "scratch", "random", "template")
LARGEST = 1e100  # whose squares are still numbers
LEAST_PERCENT = 20.0  # scores from 0 to 100 are percent if the largest is above this: losses rarely are


@dataclass(frozen=True)
class GivenMatrix:
    """Scores of one method and protocol; NaN where there is none. Larger is better; of percent, the share.

    score: (S, n, n); rows: by name of a source that is no target, (S, n); baseline, ceiling: (S, n), of a seed that has none the mean over
    the others; n_test: (n,).
    """

    method: str
    protocol: str
    tasks: tuple[str, ...]
    seeds: tuple[str, ...]
    score: np.ndarray
    rows: dict[str, np.ndarray]
    baseline: np.ndarray
    ceiling: np.ndarray
    n_test: np.ndarray


@dataclass(frozen=True)
class Given:
    """All that was given. unit: of `UNITS`; turned: whether less was better; notes: what was understood, in sentences."""

    matrices: list[GivenMatrix]
    tasks: tuple[str, ...]
    unit: str
    turned: bool
    notes: list[str]


def gather(
    files: Sequence[tuple[str, Records]],
    baseline: str | None = None,
    ceiling: str | None = None,
    unit: str | None = None,
    lower_is_better: bool = False,
) -> Given:
    """All files as one. files: with what each is called, which is its method where it names none.

    Several files of one name that know no seeds are seeds of one method. baseline, ceiling: a number, or the source whose row they
    are. UserError for what cannot be understood.
    """
    if unit is not None and unit not in UNITS:
        raise UserError(f"there is no unit '{plain(unit)}'; {suggest(unit, UNITS)}")
    notes = [note for _, records in files for note in records.notes]
    table = pd.concat([_named(files, number) for number in range(len(files))], ignore_index=True)
    tasks, only_source = _tasks(table, files, {baseline, ceiling}, notes)
    _no_duplicates(table, files)
    table, unit, percent = _in_unit(table, files, unit, notes)
    fixed = {what: _fixed(what, told, percent, only_source) for what, told in (("baseline", baseline), ("ceiling", ceiling))}
    groups = table.groupby(["method", "protocol"], sort=False)
    matrices = [_dense(method, protocol, part, tasks, only_source, fixed, _file(files, part)) for (method, protocol), part in groups]
    if without := [one.method for one in matrices if not one.seeds]:
        notes.append(f"No score of a task on a task, so left out: {some(map(plain, without), MOST_NAMED)}.")
        matrices = [one for one in matrices if one.seeds]
    if not matrices:
        raise UserError(f"{_file(files, table)} holds no score of a task that is both source and target")
    for what, value in fixed.items():
        if value is not None:
            notes.append(f"The {what} is {_of_all(value, percent)}.")
    if lower_is_better:
        matrices = [_turned(one) for one in matrices]
        notes.append("Less is better: all scores are turned (times -1), so that larger is better everywhere below.")
        unit = "other"
    _tell(matrices, files, lower_is_better, notes)
    return Given(matrices, tasks, unit, lower_is_better, notes)


def _named(files: Sequence[tuple[str, Records]], number: int) -> pd.DataFrame:
    """The records of a file, with its name as method and its number as seed where it has none."""
    name, records = files[number]
    table = records.table.assign(file=number)
    table["method"] = table["method"].where(table["method"] != "", name)
    table["protocol"] = table["protocol"].where(table["protocol"] != "", PROTOCOL)
    of_the_same = [place for place, (other, _) in enumerate(files) if other == name]
    if len(of_the_same) > 1:
        own = str(of_the_same.index(number) + 1)
        table["seed"] = [f"{own}: {seed}" if seed else own for seed in table["seed"]]
    else:
        table["seed"] = table["seed"].where(table["seed"] != "", "1")
    return table


def _file(files: Sequence[tuple[str, Records]], table: pd.DataFrame) -> str:
    return some((files[number][1].file for number in sorted(set(table["file"]))), 3)


def _tasks(
    table: pd.DataFrame, files: Sequence[tuple[str, Records]], named: set[str | None], notes: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names that are sources and targets, sorted, and those that are sources only; what is left out is told."""
    sources, targets = set(table["source"]), set(table["target"])
    tasks = tuple(sorted(sources & targets))
    only_source, only_target = sorted(sources - targets), sorted(targets - sources)
    where = _file(files, table)
    near = _near(only_source, only_target)
    if near and simple(near[0]) == simple(near[1]):
        source, target = map(plain, near)
        raise UserError(f"{where}: '{source}' is a source only and '{target}' a target only; they look like one task, so write both alike")
    if len(tasks) < 2:
        which = f"only '{plain(tasks[0])}' is" if tasks else "no name is"
        raise UserError(f"{where}: {which} both source and target; a matrix needs two such tasks or more, with their names written alike")
    if len(tasks) > MOST_TASKS:
        raise UserError(f"{where} has {len(tasks):,} tasks; up to {MOST_TASKS} can be analysed, so choose some of them")
    if only_source:
        notes.append(
            f"Source only, so beside the matrix and in no statistic: {some(map(plain, only_source), MOST_NAMED)}."
            + "".join(
                f" If '{plain(name)}' is what was there before any transfer, say `--baseline '{plain(name)}'`."
                for name in only_source
                if simple(name) in UNTUNED and not any(named)
            )
        )
    if only_target:
        notes.append(f"Target only, so left out: {some(map(plain, only_target), MOST_NAMED)}.")
    if near:
        notes.append(f"'{plain(near[0])}' is a source only and '{plain(near[1])}' a target only; if they are one task, write both alike.")
    return tasks, tuple(only_source)


def _near(sources: Sequence[str], targets: Sequence[str]) -> tuple[str, str] | None:
    """A source and a target whose names differ in little, and so may be one task."""
    called = {simple(name): name for name in targets}
    for name in sources:
        if near := difflib.get_close_matches(simple(name), list(called), n=1, cutoff=0.85):
            return name, called[near[0]]
    return None


def _no_duplicates(table: pd.DataFrame, files: Sequence[tuple[str, Records]]) -> None:
    keys = ["method", "protocol", "seed", "source", "target"]
    twice = table.duplicated(keys, keep=False)
    if not twice.any():
        return
    first = table[twice].iloc[0]
    both = table[(table[keys] == first[keys]).all(axis=1)].iloc[:2]
    records = files[int(both.iloc[1]["file"])][1]
    remedy = (
        f"remove one, or say by `--columns seed=...` or `method=...` which of {some(map(plain, records.unused), 4)} tells them apart"
        if records.unused
        else "remove one, or tell them apart by a column 'seed' or 'method'"
    )
    raise UserError(
        f"{records.file}, line {both.iloc[1]['line']}: {plain(first['source'])} -> {plain(first['target'])} stands there again, "
        f"after line {both.iloc[0]['line']}; {remedy}"
    )


def _in_unit(
    table: pd.DataFrame, files: Sequence[tuple[str, Records]], unit: str | None, notes: list[str]
) -> tuple[pd.DataFrame, str, bool]:
    """The table with percent as shares, its unit, and whether it was percent."""
    where = _file(files, table)
    there = table["score"][np.isfinite(table["score"])]
    if not len(there):
        raise UserError(f"{where} holds no score; every cell is empty")
    low, high = float(there.min()), float(there.max())
    size = max(abs(low), abs(high))
    if size > LARGEST or 0 < size < 1 / LARGEST:
        raise UserError(
            f"{where}: scores as {'large' if size > 1 else 'small'} as {size:g} cannot be reckoned with; write them in another unit"
        )
    signs = {records.percent for _, records in files}
    if len(signs) > 1:
        raise UserError(f"{where}: one of the files has percent signs and another has none; write all alike")
    if unit in ("share", "percent") and (low < 0 or high > (1 if unit == "share" else 100)):
        wrong = table.loc[there.idxmin() if low < 0 else there.idxmax()]
        raise UserError(
            f"{files[int(wrong['file'])][1].file}, line {wrong['line']}: {wrong['score']:g} is no {unit}; correct it, or say `--unit other`"
        )
    percent = unit == "percent" or (unit is None and low >= 0 and high <= 100 and (True in signs or high > LEAST_PERCENT))
    if unit is None and True in signs and not percent:
        percent = True  # a difference in percent, such as -3 %
    if percent:
        large = table.groupby(["method", "protocol", "seed"])["score"].max()
        if unit is None and True not in signs and (large[large > 0] <= 1).any():
            which = " ".join(map(plain, large.index[(large > 0) & (large <= 1)][0][:1]))
            raise UserError(
                f"{where}: scores of '{which}' are at most 1 and others go up to {high:g}; write all as shares or all as percent"
            )
        table = table.assign(**{name: table[name] / 100 for name in ("score", "baseline", "ceiling")})
        notes.append(
            f"Scores from {low:g} to {high:g} are read as percent"
            + ("." if unit or True in signs else " (`--unit other` if they are not).")
        )
        return table, "share" if low >= 0 and high <= 100 else "other", True
    if unit != "other" and low >= 0 and high <= 1:
        notes.append(f"Scores from {low:g} to {high:g} are read as shares of 1" + ("." if unit else " (`--unit other` if they are not)."))
        return table, "share", False
    maybe = " (`--unit percent` if they are percent)" if unit is None and low >= 0 and high <= 100 else ""
    notes.append(f"Scores from {low:g} to {high:g} are read in a unit of their own, as neither shares nor percent{maybe}.")
    return table, "other", False


def _fixed(what: str, told: str | None, percent: bool, rows: Sequence[str]) -> float | str | None:
    """A baseline or ceiling that is the same for all: a number, or the name of a row."""
    if told is None or told in rows:
        return told
    try:
        value = float(told)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        names = suggest(told, map(plain, rows)) if rows else "no source is without a column of its own"
        raise UserError(f"`--{what}` says '{plain(told)}', which is neither a number nor a source that is no target; {names}")
    return value / 100 if percent else value


def _of_all(value: float | str, percent: bool) -> str:
    """What `_fixed` understood, in words."""
    if isinstance(value, str):
        return f"the row '{plain(value)}'"
    return f"{100 * value:g} % for every target" if percent else f"{value:g} for every target"


def _dense(
    method: str,
    protocol: str,
    part: pd.DataFrame,
    tasks: tuple[str, ...],
    only_source: Sequence[str],
    fixed: Mapping[str, float | str | None],
    where: str,
) -> GivenMatrix:
    seeds = tuple(sorted(set(part["seed"]), key=lambda seed: (len(seed), seed)))
    sources = [*tasks, *only_source]
    part = part[part["target"].isin(tasks)]
    at = tuple(
        part[column].map({name: place for place, name in enumerate(names)}).to_numpy(int)
        for column, names in (("seed", seeds), ("source", sources), ("target", tasks))
    )
    dense = np.full((len(seeds), len(sources), len(tasks)), np.nan)
    dense[at] = part["score"].to_numpy()
    n = len(tasks)
    rows = {name: dense[:, n + place] for place, name in enumerate(only_source) if np.isfinite(dense[:, n + place]).any()}
    of_target = {name: _by_target(part, name, seeds, tasks, where) for name in ("baseline", "ceiling", "n_test")}
    for what, told in fixed.items():
        if isinstance(told, str):
            of_target[what] = rows.get(told, np.full((len(seeds), n), np.nan))
        elif told is not None:
            of_target[what] = np.full((len(seeds), n), told)
    before, ceiling, tested = (np.where(np.isfinite(one), one, seed_mean(one)) for one in of_target.values())
    there = np.isfinite(dense[:, :n]).any(axis=(1, 2))
    return GivenMatrix(
        method, protocol, tasks, tuple(seed for seed, any_score in zip(seeds, there, strict=True) if any_score), dense[there, :n],
        {name: row[there] for name, row in rows.items()}, before[there], ceiling[there], tested[0],
    )  # fmt: skip


def _by_target(part: pd.DataFrame, name: str, seeds: Sequence[str], tasks: Sequence[str], where: str) -> np.ndarray:
    """What is the same for all sources of a target and seed: (S, n)."""
    known = part[np.isfinite(part[name])]
    spread = known.groupby(["seed", "target"])[name].agg(["min", "max"])
    unequal = spread[spread["max"] - spread["min"] > 1e-9 * spread["max"].abs()]
    if len(unequal):
        target = plain(unequal.index[0][1])
        raise UserError(f"{where}: the column for '{name}' has several values for the target '{target}'; it needs one per target and seed")
    return (
        spread["max"].unstack("target").reindex(index=list(seeds), columns=list(tasks)).to_numpy(float)
        if len(spread)
        else np.full((len(seeds), len(tasks)), np.nan)
    )


def _turned(one: GivenMatrix) -> GivenMatrix:
    rows = {name: -row for name, row in one.rows.items()}
    return replace(one, score=-one.score, rows=rows, baseline=-one.baseline, ceiling=-one.ceiling)


def _tell(matrices: Sequence[GivenMatrix], files: Sequence[tuple[str, Records]], turned: bool, notes: list[str]) -> None:
    """Missing cells, a diagonal that is not there, and what may be a loss."""
    own = np.eye(len(matrices[0].tasks), dtype=bool)
    if all(not np.isfinite(one.score[:, own]).any() for one in matrices):
        notes.append("The diagonal is missing: what a task gives itself is not known. No statistic needs it.")
    for one in matrices:
        missing = int(np.isnan(one.score[:, ~own]).sum())
        if missing:
            notes.append(
                f"{plain(one.method)}: {counted(missing, 'cell')} of {one.score[:, ~own].size:,} off the diagonal missing; they stay so."
            )
    if not turned and (losses := [records.score for _, records in files if simple(records.score) in LOSSES]):
        notes.append(f"The scores are called '{plain(losses[0])}': larger is read as better; if less is, say `--lower-is-better`.")
