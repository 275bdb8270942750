"""The verdict's numbers, counted again from the tables row by row."""

import math

import numpy as np
import pandas as pd
import pytest

from made_up_answers import columns
from promptatlas.analysis import statistics
from promptatlas.analysis.pairs.table import pairs
from promptatlas.analysis.verdict.holding import Compared, clear, in_every_seed, named, unhelped
from promptatlas.analysis.verdict.record import opens, transfers_best
from synthetic_study import similarity_table, tasks_table, transfer_table

N = 6


def summary_of(transfer, table=None, contrasts=False):
    tasks, similarity = tasks_table(N), similarity_table(N)
    found = statistics.analyse(transfer, similarity, tasks, permutations=9)
    told = statistics.contrast(transfer, similarity, tasks) if contrasts else None
    return statistics.summary(transfer, similarity, found, tasks, contrasts=told, pairs=table)


@pytest.fixture(scope="module")
def made():
    transfer = transfer_table(N, source=0.6, pair=0.9)
    table = pairs(columns(transfer))
    return transfer, table, summary_of(transfer, table, contrasts=True)["verdict"]


def helping_rows(transfer: pd.DataFrame, method: str) -> set[tuple[str, str]]:
    """Pairs that beat both baselines in every seed, row by row."""
    own = transfer[transfer["method"] == method]
    base = {(row.source, row.target, row.seed): row.score for row in own.itertuples() if row.source in ("scratch", "template")}
    beaten: dict[tuple[str, str], list[bool]] = {}
    for row in own.itertuples():
        if row.source not in ("scratch", "template", row.target):
            both = all(row.score > base[other, row.target, row.seed] for other in ("scratch", "template"))
            beaten.setdefault((row.source, row.target), []).append(both)
    return {pair for pair, seeds in beaten.items() if all(seeds)}


@pytest.mark.parametrize("method", ["coop", "vpt"])
def test_pairs_and_targets_are_those_that_rows_show(made, method):
    transfer, table, verdict = made
    one = next(one for one in verdict["by_method"] if one["method"] == method)
    helping = helping_rows(transfer, method)
    assert 0 < len(helping) < N * (N - 1) and one["n_helping"] == len(helping) and one["n_pairs"] == N * (N - 1)
    assert set(one["unhelped"]) == {target for target in set(transfer["target"]) if not any(target == pair[1] for pair in helping)}
    own = table[(table["method"] == method) & (table["kind"] == "pair")].set_index(["source", "target"])
    own = own[[pair in helping for pair in own.index]]
    least = own[["low", "untuned_low"]].min(axis=1, skipna=False).dropna().sort_values(ascending=False)
    assert [(row["source"], row["target"]) for row in one["named"]] == [*least.index][:5]
    for row in one["named"]:
        assert row["low"] == pytest.approx(least[row["source"], row["target"]])
        hand = own.loc[(row["source"], row["target"])]
        prefix = "" if row["baseline"] == "zero_shot" else "untuned_"
        assert row["gain"] == pytest.approx(hand[f"{prefix}gain"]) and row["high"] == pytest.approx(hand[f"{prefix}high"])
        assert row["p_adjusted"] == max(hand["p_adjusted"], hand["untuned_p_adjusted"])
    tested = own.dropna(subset=["p_adjusted", "untuned_p_adjusted"])
    assert one["n_tested"] == len(tested) and one["n_clear"] == (tested["separable"] & tested["untuned_separable"]).sum() > 0
    assert one["n_separable"] == table[(table["method"] == method) & (table["kind"] == "pair")]["separable"].fillna(False).sum()


def test_the_most_reliable_method_opens_and_the_best_is_ahead_of_each_other(made):
    transfer, _, verdict = made
    reliable = {one["method"]: one["reliability"]["estimate"] for one in verdict["by_method"]}
    assert verdict["opens"] == {"frozen": {"method": max(reliable, key=reliable.get), "by": "reliability"}}
    means = (
        transfer[transfer["source"].str.startswith("task") & (transfer["source"] != transfer["target"])].groupby("method")["score"].mean()
    )
    [best] = verdict["transfers_best"]
    assert best["method"] == means.idxmax() and best["closest"]["method"] == means.idxmin() and best["others"] == 1
    assert best["closest"]["estimate"] == pytest.approx(100 * (means.max() - means.min()))
    assert best["ahead"] == (best["closest"]["low"] > 0)


def test_a_study_without_intervals_is_ordered_by_the_worst_seed(made):
    transfer, _, _ = made
    one = summary_of(transfer)["verdict"]["by_method"][0]
    worst = [row["seeds_low"] for row in one["named"]]
    assert worst == sorted(worst, reverse=True) and worst[0] > 0
    assert [row["low"] for row in one["named"]] == [None] * len(worst)
    assert (one["n_tested"], one["n_clear"], one["smallest_p"], one["n_separable"]) == (0, 0, None, None)


def test_pairs_that_lack_a_seed_or_a_baseline_do_not_count(made):
    transfer, _, _ = made
    gone = (transfer["source"] == "task_01") & (transfer["target"] == "task_02") & (transfer["seed"] == 2)
    gone |= (transfer["source"] == "scratch") & (transfer["target"] == "task_04")
    one = summary_of(transfer[~gone].reset_index(drop=True))["verdict"]["by_method"][0]
    assert one["n_pairs"] == N * (N - 1) - 1 - (N - 1) and one["n_targets"] == N - 1 and "task_04" not in one["unhelped"]


@pytest.mark.parametrize("lost", [True, False])
def test_without_an_untuned_prompt_zero_shot_alone_counts(made, lost):
    transfer, _, _ = made
    kept = transfer[transfer["source"] != "scratch"] if lost else transfer
    one = summary_of(kept.reset_index(drop=True))["verdict"]["by_method"][0]
    assert one["baselines"] == (["zero_shot"] if lost else ["zero_shot", "untuned"])


def compared(gain, low=None, p=None):
    gain = np.asarray(gain, float)
    nothing = np.full(gain.shape[1:], np.nan)
    low = nothing if low is None else np.asarray(low, float)
    return Compared("any", gain, low, low + 2, nothing if p is None else np.asarray(p, float))


def test_by_hand():
    """Two seeds, three tasks: 0 helps 1, 1 helps 0 in one seed only, 2 helps 1 over one of two baselines only."""
    over_one, over_other = np.full((2, 2, 3, 3), -1.0)
    for gain in (over_one, over_other):
        gain[:, 0, 1] = 3
        gain[:, 1, 0] = (3, -0.1)
    over_one[:, 2, 1] = 5
    p = np.full((3, 3), 0.2)
    p[0, 1] = 0.01
    every = [compared(over_one, np.ones((3, 3)), np.full((3, 3), 0.001)), compared(over_other, np.zeros((3, 3)), p)]
    there = ~np.eye(3, dtype=bool)
    there[:, 2] = False
    holds = in_every_seed(every, there)
    assert np.argwhere(holds).tolist() == [[0, 1]]
    targets, without = unhelped(there, holds)
    assert targets.tolist() == [0, 1] and without.tolist() == [0]
    [row] = named(every, holds, ["a", "b", "c"])
    assert (row["source"], row["target"], row["gain"], row["low"], row["high"], row["p_adjusted"]) == ("a", "b", 3, 0, 2, 0.01)
    assert clear(every, holds, 0.05) == (1, 1, 0.01) and clear(every, holds, 0.005)[1] == 0
    assert not in_every_seed([], there).any()


def test_a_pair_that_beats_one_baseline_by_nothing_is_rarely_called_clear():
    """The larger p: where one of two gains is nothing, its p is uniform, and below .05 in at most 5 of 100 pairs."""
    rng = np.random.default_rng(0)
    uniform, small = rng.uniform(size=(100, 100)), np.full((100, 100), 1e-9)
    holds = np.ones((100, 100), bool)
    gain = np.ones((1, 100, 100))
    _, sure, _ = clear([compared(gain, gain[0], small), compared(gain, gain[0], uniform)], holds, 0.05)
    assert abs(sure / 1e4 - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 1e4)


def method(name, reliability=math.nan, separable=None):
    return {"method": name, "reliability": {"estimate": reliability}, "n_separable": separable}


def test_what_opens_where_less_is_known():
    assert opens([method("a", 0.2, 90), method("b", 0.5, 1), method("c")]) == {"method": "b", "by": "reliability"}
    assert opens([method("a", separable=3), method("b", separable=4)]) == {"method": "b", "by": "separable"}
    assert opens([method("a", separable=0), method("b")]) == {"method": "a", "by": "order"}


def row(first, second, estimate, low, high):
    return {"protocol": "frozen", "methods": [first, second], "estimate": estimate, "low": low, "high": high}


def test_the_best_of_three_methods_is_ahead_of_both():
    found = transfers_best("abc", [row("a", "b", -4, -6, -2), row("a", "c", 1, -1, 3), row("b", "c", 5, 3, 7)])
    assert (found["method"], found["ahead"], found["others"]) == ("b", 2, 2)
    assert found["closest"] == {"method": "a", "estimate": 4, "low": 2, "high": 6}
    circle = [row("a", "b", 1, 0, 2), row("b", "c", 1, 0, 2), row("a", "c", -1, -2, 0)]
    assert transfers_best("abc", circle) is None, "where other pairs are measured for each, none need be ahead of all"
    assert transfers_best("abc", circle[:2]) is None and transfers_best("a", []) is None
