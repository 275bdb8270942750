"""How often the tests and intervals of a report are wrong, in made-up studies where the truth is known.

Every test that a page prints is tried under every null of `nulls`, every interval with two and with three seeds, by the functions
that make a report. Random number generators are named, so the same call gives the same table.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from promptatlas.analysis.statistics import masked, nulls, permutation
from promptatlas.analysis.statistics.analyse import TOP, agreement_rows, regret_rows, similarity_rows, variance_rows
from promptatlas.analysis.statistics.contrasts import measure_rows, method_rows
from promptatlas.analysis.statistics.crossed import crossed_interval
from promptatlas.analysis.statistics.families import of_tasks, repeated
from promptatlas.analysis.statistics.jackknife import pseudo_values
from promptatlas.analysis.statistics.published import rank_correlation
from promptatlas.analysis.statistics.regret import outdone, static_list
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.analysis.statistics.together import explained_rows
from promptatlas.analysis.statistics.verdicts import MEANINGFUL
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng

FEWEST = 5
PERMUTATIONS = 199
SEEDS = (2, 3)
Say = Callable[[int, int], None]


def equal_families(n: int, count: int) -> list[str]:
    """Families of n tasks in `count` families as equal as can be."""
    if n < FEWEST or not 1 <= count <= n:
        raise UserError(f"{n} tasks in {count} families cannot be tried; give at least {FEWEST} tasks and 1 to as many families")
    return [f"family {task * count // n}" for task in range(n)]


def families_of(folder: Path) -> list[str]:
    """Families of the tasks of a finished study, from its table `tasks`."""
    try:
        tasks = pd.read_parquet(folder / "tables" / "tasks.parquet")
    except (OSError, ValueError):
        raise UserError(f"{folder} has no tables/tasks.parquet; name the folder of a finished study, such as results/mini") from None
    if len(tasks) < FEWEST:
        raise UserError(f"{folder} has {len(tasks)} tasks; intervals need at least {FEWEST}")
    return list(of_tasks(tasks))


def lines(wrong: pd.DataFrame, held: pd.DataFrame, families: Sequence[str], simulations: int) -> list[str]:
    """Both tables in words, as Markdown."""
    sizes = ", ".join(map(str, sorted(Counter(families).values(), reverse=True)))
    return [
        f"{len(families)} tasks in {len(set(families))} families of {sizes}; {simulations} made-up studies per case, "
        f"{PERMUTATIONS} renamings each.",
        "", "Share of studies in which a test rejects at .05 though there is nothing to find:", "", *_markdown(wrong),
        "", "Share of studies in which a 95 % interval holds the truth, and its mean width:", "", *_markdown(held),
    ]  # fmt: skip


def _markdown(table: pd.DataFrame) -> list[str]:
    """Shares with three digits, widths with two."""
    rows = [["", *table.columns], ["---"] * (len(table.columns) + 1)]
    digits = [2 if column.startswith("width") else 3 for column in table.columns]
    for name, row in zip(table.index, table.to_numpy(), strict=True):
        rows.append([name, *("–" if np.isnan(one) else _short(one, d) for one, d in zip(row, digits, strict=True))])
    return [f"| {' | '.join(row)} |" for row in rows]


def _short(value: float, digits: int) -> str:
    shown = f"{value:.{digits}f}"
    return shown.removeprefix("0") if value < 1 else shown


def error_rates(families: Sequence[str], simulations: int, say: Say = lambda done, total: None) -> pd.DataFrame:
    """Share of made-up studies in which each test (row) rejects at .05 under each null (column), with tasks of `families` (n,).

    Tests that allow for several measures count a study in which any of them rejects. NaN where a test is not asked for.
    """
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for place, null in enumerate(nulls.NULLS):
        rejected: dict[str, list[bool]] = defaultdict(list)
        for number in range(simulations):
            rng = named_rng("calibrate", null, len(families), number)
            for test, p in tests(nulls.study(null, families, rng), families, rng):
                rejected[test].append(p <= MEANINGFUL)
            say(place * simulations + number + 1, len(nulls.NULLS) * simulations)
        for test, each in rejected.items():
            found[test][null] = float(np.mean(each))
    return pd.DataFrame(found).T


def tests(study: nulls.MadeUpStudy, families: Sequence[str], rng: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Name and p of every test that a page prints, of one made-up study; rng: for what the study does not hold itself."""
    names = [f"task {number}" for number in range(len(families))]
    family = pd.Series(families, index=names)
    rows = [list(similarity_rows(scores, study.measures, names, family, set(), PERMUTATIONS)) for scores in study.scores]
    single = _by_test(rows[0])
    titles = {
        "two_way": ("similarity", "first"), "two_way_max_t": ("similarity, any of all measures", "any"),
        "two_way_blocks": ("similarity beyond family", "first"),
        "two_way_blocks_min_p": ("similarity beyond family, any of all measures", "any"),
    }  # fmt: skip
    for test, (title, which) in titles.items():
        if test in single:
            yield title, single[test][0] if which == "first" else min(single[test])
    both = [_by_test(one) for one in rows]
    confirmatory = np.array([np.max([one[test][:2] for test in ("two_way", "two_way_blocks") if test in one], axis=0) for one in both])
    yield "established, any confirmatory test", permutation.holm(confirmatory.ravel()).min()
    one, other = map(seed_mean, study.scores)
    agreeing = _by_test(agreement_rows(one, other, families, PERMUTATIONS))
    yield "agreement of methods", agreeing["agreement"][0]
    if "agreement_blocks" in agreeing:
        yield "agreement of methods beyond family", agreeing["agreement_blocks"][0]
    yield from _together(study, families)
    yield from _printed(seed_mean(study.scores[0]), study.printed, families, rng)
    regret = _by_test(
        row for row in regret_rows(seed_mean(study.scores[0]), {"": study.measures["measure 2"]}, PERMUTATIONS) if not row["measure"]
    )
    for k in (k for k in TOP if f"regret@{k}" in regret):
        yield f"regret at {k}, against the static list", regret[f"regret@{k}"][0]
    scores, as_good = nulls.equal_lists(len(families), rng)
    orders = permutation.relabellings(len(families), PERMUTATIONS, rng)
    yield "regret at 1, a list as good as the static one", outdone(scores, as_good, static_list(scores), 1, orders)


def _together(study: nulls.MadeUpStudy, families: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Name and p of the tests in the tables `explained` and `contrasts`."""
    titles = {
        "together": "measures together", "together_blocks": "measures together beyond family",
        "coefficient": "a measure beside the others", "coefficient_blocks": "a measure beside the others, beyond family",
    }  # fmt: skip
    for row in explained_rows(study.scores[0], study.measures, families, PERMUTATIONS):
        if row["what"] in titles and row["measure"] in ("", "measure 1"):
            yield titles[row["what"]], row["p"]
    first = next(measure_rows(seed_mean(study.scores[0]), study.measures, families))
    seeds = range(len(study.scores[0]))
    yield "two measures compared", np.fmax(first["p"], first["p_families"])
    only = {"measure 1": study.measures["measure 1"]}
    for row in method_rows((study.scores[0], study.scores[1]), (seeds, seeds), only, families):
        if row["measure"] == "measure 1":
            yield "a measure for two methods", np.fmax(row["p"], row["p_families"])


def _by_test(rows: Iterable[dict]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if np.isfinite(row["p"]):
            found[row["test"]].append(row["p"])
    return found


def _printed(measured: np.ndarray, printed: np.ndarray, families: Sequence[str], rng: np.random.Generator) -> Iterator[tuple[str, float]]:
    n = len(families)
    orders = {"": permutation.relabellings(n, PERMUTATIONS, rng)}
    if repeated(families):
        orders[" beyond family"] = permutation.block_relabellings(families, PERMUTATIONS, rng)
    there = np.isfinite(measured) & ~np.eye(n, dtype=bool)
    for words, order in orders.items():
        yield f"published matrix, ranks of scores{words}", rank_correlation(measured, printed, there, order)[1]
        left = masked.residuals_on(there)
        yield f"published matrix, who helps whom{words}", rank_correlation(measured, printed, there, order, left)[1]


def coverage(n: int, simulations: int, say: Say = lambda done, total: None) -> pd.DataFrame:
    """Share of made-up studies of n tasks in which each interval (row) of 95 % holds the truth, and their mean width, by number
    of seeds. What has no truth of its own, as a regret, is held against its mean over the studies."""
    table: dict[str, dict[str, float]] = defaultdict(dict)
    for place, seeds in enumerate(SEEDS):
        found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        truths = _truths(seeds)
        for number in range(simulations):
            for name, *bounds in _intervals(n, seeds, named_rng("calibrate", "coverage", n, seeds, number)):
                found[name].append(tuple(bounds))
            say(place * simulations + number + 1, len(SEEDS) * simulations)
        for name, numbers in found.items():
            estimate, low, high = np.array(numbers).T
            there, truth = np.isfinite(low), truths.get(name, estimate.mean())
            if not there.any():
                continue
            table[name][f"{seeds} seeds"] = float(((low <= truth) & (truth <= high))[there].mean())
            table[name][f"width, {seeds} seeds"] = float((high - low)[there].mean())
    return pd.DataFrame(table).T


def _truths(seeds: int) -> dict[str, float]:
    """What the intervals of `planted` studies should hold: of the mean over seeds where that is what is shown."""
    parts = nulls.PlantedEffects()
    noise = parts.seed_source + parts.seed_target + parts.seed_cell
    total = parts.source + parts.target + parts.relationship + noise
    signal = parts.relationship / (parts.relationship + parts.seed_cell / seeds)
    return {
        "share of the target": parts.target / total, "share of the source": parts.source / total,
        "share of the relationship": parts.relationship / total, "share of the seed": noise / total,
        "reliability": signal, "giving and receiving": parts.giver_receiver, "is help mutual": parts.reciprocity,
        "similarity": parts.measure * np.sqrt(signal), "agreement of methods": parts.agreement * signal,
        "similarity over the noise ceiling": parts.measure, "measures together": parts.measure**2 * signal,
        "measures together over the ceiling": parts.measure**2, WITHOUT_NOISE["relationship"]: parts.agreement,
        WITHOUT_NOISE["giving"]: 0.0, WITHOUT_NOISE["receiving"]: 0.0, WITHOUT_NOISE["gain"]: 0.0,
        WITHOUT_NOISE["link"]: parts.measure * (1 - parts.agreement) * np.sqrt(signal),
        **dict.fromkeys(CROSSED, 0.0),
    }  # fmt: skip


# standard deviations of a paired difference over tasks, over seeds, and of what is left
CROSSED = {
    "methods compared, tasks differ": (3.0, 0.0, 1.0),
    "methods compared, both differ": (3.0, 3.0, 1.0),
    "methods compared, seeds differ": (0.3, 1.0, 1.0),
    "methods compared, noise alone": (0.0, 0.0, 1.0),
    "start from another task over an untrained one": (1.0, 0.7, 1.0),
}
WITHOUT_NOISE = {
    "relationship": "who helps whom of two methods, without noise", "giving": "good sources of two methods, without noise",
    "receiving": "easy targets of two methods, without noise", "gain": "mean score of two methods", "link": "a measure for two methods",
}  # fmt: skip
TITLES = {
    "target": "share of the target", "source": "share of the source", "seed": "share of the seed",
    "giver_receiver": "giving and receiving", "reciprocity": "is help mutual",
}  # fmt: skip


def _intervals(n: int, seeds: int, rng: np.random.Generator) -> Iterator[tuple[str, float, float, float]]:
    """Name, estimate and both ends of every interval that a page prints."""
    one, other, measure = nulls.planted(nulls.PlantedEffects(), n, seeds, rng)
    alone = [f"task {number}" for number in range(n)]
    for row in variance_rows(one):
        reliability = "reliability" if row["test"] == "reliability" else "share of the relationship"
        yield TITLES.get(row["measure"], reliability), row["estimate"], row["low"], row["high"]
    for row in similarity_rows(one, {"": measure}, alone, pd.Series(alone, index=alone), set(), 1):
        if row["test"] == "two_way":
            yield "similarity", row["estimate"], row["low"], row["high"]
        if row["test"] == "disattenuated":
            yield "similarity over the noise ceiling", row["estimate"], row["low"], row["high"]
    for row in explained_rows(one, {"": measure, "other": measure.T}, alone, 1):
        if name := {"together": "measures together", "of_ceiling": "measures together over the ceiling"}.get(row["what"]):
            yield name, row["estimate"], row["low"], row["high"]
    for row in method_rows((one, other), (range(seeds), range(seeds)), {"": measure}, alone):
        yield WITHOUT_NOISE[row["what"]], row["estimate"], row["low"], row["high"]
    for row in agreement_rows(seed_mean(one), seed_mean(other), alone, 1):
        yield "agreement of methods", row["estimate"], row["low"], row["high"]
    for row in regret_rows(seed_mean(one) / 10, {"a measure": measure}, 1):
        if row["test"] in ("regret@1", "regret@3"):
            by = {"ctrl_static": "the static list", "ctrl_random": "chance"}.get(row["measure"], row["measure"])
            yield f"regret at {row['test'][-1]} by {by}", row["estimate"], row["low"], row["high"]
    for name, (task, seed, rest) in CROSSED.items():
        common = seed * rng.normal(size=(1, seeds))
        if name.startswith("methods"):
            values = task * rng.normal(size=(n, 1)) + common + rest * rng.normal(size=(n, seeds))
        else:
            cells = task * (rng.normal(size=(n, 1)) + rng.normal(size=n)) + common.T[:, :, None] + rest * rng.normal(size=(seeds, n, n))
            values = np.array([pseudo_values(np.where(np.eye(n, dtype=bool), np.nan, each)) for each in cells]).T
        yield (name, float(values.mean()), *crossed_interval(values))
