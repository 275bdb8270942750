"""A missing cell or seed costs that cell and nothing else: variance shares, reliability, correlations and their reasons."""

import numpy as np
import pandas as pd
import pytest

from promptatlas.analysis import statistics
from promptatlas.analysis.statistics import masked, permutation
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.moments import Components, fit, shared
from promptatlas.analysis.statistics.relations import effects, off_diagonal, usable
from promptatlas.analysis.statistics.reliability import PARTS, decompose
from promptatlas.analysis.statistics.scales import NEEDS_PROBE, RESPONSES, seed_mean
from synthetic_study import similarity_table, tasks_table, transfer_table
from tiers import mostly_slow

N = 8
TRUTH = {"target": 0.5, "source": 1.0, "relationship": 1.0, "giver_receiver": 0.3, "reciprocity": 0.4}
# of one seed's noise: the prompt of a source serves a whole row, and a whole seed may be better or worse
NOISE = {"row": 0.25, "column": 0.1, "cell": 0.8, "seed": 4.0}


def components(values: np.ndarray) -> Components:
    """Of one matrix (n, n): what it has in common with itself."""
    own = fit(values)
    return shared([(own, own)])


def closed_form(values: np.ndarray) -> dict[str, float]:
    """The textbook's variances (Warner, Kenny & Stoto 1979) of one complete matrix (n, n)."""
    n, parts = len(values), effects(values)
    g = np.nan_to_num(parts.relationship)
    symmetric = (((g + g.T) / 2) ** 2).sum() / ((n - 1) * (n - 2) / 2 - 1)
    skew = ((g - g.T) ** 2).sum() / 2 / ((n - 1) * (n - 2))
    relationship, reciprocity = (symmetric + skew) / 2, (symmetric - skew) / 2
    noise = (relationship * (n - 1) + reciprocity) / (n * (n - 2))
    cross = (reciprocity * (n - 1) + relationship) / (n * (n - 2))
    return {
        "source": (parts.source**2).sum() / (n - 1) - noise,
        "target": (parts.target**2).sum() / (n - 1) - noise,
        "relationship": relationship,
        "giver_receiver": (parts.source * parts.target).sum() / (n - 1) - cross,
        "reciprocity": reciprocity,
    }


def study(rng, n=12, seeds=3) -> np.ndarray:
    """(S, n, n) with the variances of `TRUTH` and `NOISE`."""
    both = rng.multivariate_normal([0, 0], [[TRUTH["source"], 0.3], [0.3, TRUTH["target"]]], size=n)
    pair = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], size=(n, n))
    g = np.triu(pair[..., 0], 1) + np.triu(pair[..., 1], 1).T
    sizes = {"row": (seeds, n, 1), "column": (seeds, 1, n), "cell": (seeds, n, n), "seed": (seeds, 1, 1)}
    return both[:, :1] + both[:, 1] + g + sum(rng.normal(0, np.sqrt(NOISE[kind]), size) for kind, size in sizes.items())


def punched(rng, values: np.ndarray, share: float) -> np.ndarray:
    return np.where(rng.random(values.shape) < share, np.nan, values)


def test_without_holes_the_variances_are_those_of_the_closed_form():
    rng = np.random.default_rng(0)
    for n in (4, 5, 9, 20):
        values = rng.normal(size=(n, n)) + 3 * rng.normal(size=n) + 1000
        expected = closed_form(values)
        assert vars(components(values)) == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_without_holes_seeds_are_told_apart_as_by_deviations_from_their_mean():
    values = study(np.random.default_rng(1), n=9)
    mean, found = closed_form(values.mean(axis=0)), decompose(values)
    deviations = [closed_form(one) for one in values - values.mean(axis=0)]
    noise = {part: sum(one[part] for one in deviations) / 2 for part in mean}
    signal = {part: mean[part] - noise[part] / 3 for part in mean}
    assert [getattr(found, part) for part in PARTS] == pytest.approx([signal[part] for part in PARTS], abs=1e-12)
    assert found.seed == pytest.approx(sum(max(noise[part], 0) for part in PARTS), abs=1e-12)
    assert found.reliability == pytest.approx(signal["relationship"] / mean["relationship"], abs=1e-12)
    assert found.reciprocity == pytest.approx(signal["reciprocity"] / signal["relationship"], abs=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
def test_the_coefficients_are_the_expectations_of_the_sums(share):
    """Against the traces of the whole (cells x cells) matrices, for two seeds that lack cells of their own."""
    from promptatlas.analysis.statistics.moments import _expected

    rng, n = np.random.default_rng(2), 7
    one, other = (np.isfinite(off_diagonal(punched(rng, rng.normal(size=(n, n)), share))) for _ in range(2))
    row, column = (index.ravel() for index in np.indices((n, n)))
    swap = np.eye(n * n)[column * n + row]
    sources, targets = np.eye(n)[row], np.eye(n)[column]

    def maps(there):
        keep = np.diag(there.ravel().astype(float))
        design = keep @ np.hstack([sources, targets])
        solve = np.linalg.pinv(design)
        centre = np.eye(n) - 1 / n
        return keep, centre @ solve[:n], centre @ solve[n:], keep - design @ solve

    (keep, source, target, left), (keep_too, source_too, target_too, left_too) = maps(one), maps(other)
    covariances = [sources @ sources.T, targets @ targets.T, sources @ targets.T + targets @ sources.T, np.eye(n * n), swap]
    for column, covariance in enumerate(covariances):
        between = keep @ covariance @ keep_too
        expected = [
            np.trace(source @ between @ source_too.T),
            np.trace(target @ between @ target_too.T),
            (np.trace(source @ between @ target_too.T) + np.trace(target @ between @ source_too.T)) / 2,
            np.trace(left @ between @ left_too.T),
            np.trace(left @ between @ left_too.T @ swap),
        ]
        assert _expected(one.tobytes(), other.tobytes(), n)[:, column] == pytest.approx(expected, abs=1e-9), column


@pytest.mark.parametrize("share", mostly_slow([0.0, 0.05, 0.2], [0.0]))
def test_variances_are_unbiased_under_holes(share):
    rng = np.random.default_rng(3)
    draws = [decompose(punched(rng, study(rng, n=10), share)) for _ in range(400)]
    found = {part: np.mean([getattr(one, part) for one in draws]) for part in PARTS}
    assert found == pytest.approx({part: TRUTH[part] for part in PARTS}, abs=0.08)
    assert np.mean([one.seed for one in draws]) == pytest.approx(0.25 + 0.1 + 0.8, abs=0.06)
    seeds = rng.binomial(3, 1 - share, 10_000)
    carried = NOISE["cell"] * (1 / seeds[seeds > 0]).mean()  # the noise in the mean of the seeds that a cell has
    assert np.mean([one.reliability for one in draws]) == pytest.approx(1 / (1 + carried), abs=0.03)
    one_seed = [components(punched(rng, study(rng, n=10, seeds=1)[0], share)) for _ in range(400)]
    total = TRUTH | {"source": 1.25, "target": 0.6, "relationship": 1.8}
    assert {part: np.mean([getattr(one, part) for one in one_seed]) for part in total} == pytest.approx(total, abs=0.1)


def test_one_missing_seed_of_one_cell_costs_next_to_nothing():
    values = study(np.random.default_rng(4), n=20)
    lacking = values.copy()
    lacking[1, 3, 7] = np.nan
    whole, found = decompose(values), decompose(lacking)
    assert vars(found) == pytest.approx(vars(whole), rel=0.03) and found != whole


def missing(values: np.ndarray, what: str) -> np.ndarray:
    values = values.copy()
    if what == "row":
        values[:, 2] = np.nan
    elif what == "column":
        values[:, :, 2] = np.nan
    elif what == "row of one seed":
        values[0, 2] = np.nan
    elif what == "column of one seed":
        values[0, :, 2] = np.nan
    elif what == "task":
        values[:, 2], values[:, :, 2] = np.nan, np.nan
    elif what == "most of a seed":
        values[0, 3:] = np.nan
    elif what == "a seed for each cell":
        np.put_along_axis(values, np.random.default_rng(9).integers(0, 3, (1, *values.shape[1:])), np.nan, axis=0)
    return values


KINDS = ("row", "column", "row of one seed", "column of one seed", "task", "most of a seed", "a seed for each cell")


@pytest.mark.parametrize("what", KINDS)
def test_variances_are_unbiased_whatever_is_missing(what):
    rng = np.random.default_rng(5)
    draws = [decompose(missing(study(rng), what)) for _ in range(300)]
    found = {part: np.mean([getattr(one, part) for one in draws]) for part in PARTS}
    assert found == pytest.approx({part: TRUTH[part] for part in PARTS}, abs=0.1)
    assert np.mean([one.seed for one in draws]) == pytest.approx(1.15, abs=0.1)


def test_a_missing_task_leaves_the_variances_of_the_others():
    values = study(np.random.default_rng(6))
    others = np.delete(np.arange(12), 2)
    assert vars(decompose(missing(values, "task"))) == pytest.approx(vars(decompose(values[:, others[:, None], others])))


def test_a_missing_seed_leaves_the_variances_of_the_others():
    values = study(np.random.default_rng(7))
    values[1] = np.nan
    assert vars(decompose(values)) == pytest.approx(vars(decompose(values[[0, 2]])))
    values[2] = np.nan
    assert decompose(values).n_seeds == 1 and np.isnan(decompose(values).reliability)


def test_cells_that_no_chain_connects_carry_no_mean():
    """Two pairs of tasks that only serve each other: how much the pairs differ is no effect of a source."""
    values = np.full((4, 4), np.nan)
    values[:2, 2:], values[2:, :2] = np.random.default_rng(8).normal(size=(2, 2, 2)) + 1e6 * np.array([0, 1])[:, None, None]
    assert np.abs(fit(values).effects).max() < 10


def test_too_few_cells_have_no_variances():
    rng = np.random.default_rng(10)
    for values in (np.full((5, 5), np.nan), rng.normal(size=(3, 3)), np.diag(np.ones(4), 1), np.triu(np.ones((6, 6)), 4)):
        values = np.where(values == 0, np.nan, values)
        assert np.isnan(list(vars(components(values)).values())).all()
    assert np.isnan(shared([]).relationship)


def test_relabelled_correlations_with_holes_equal_refits():
    rng = np.random.default_rng(11)
    response = punched(rng, rng.normal(size=(9, 9)), 0.2)
    predictors = list(rng.normal(size=(2, 9, 9)))
    orders = permutation.relabellings(9, 40, rng)
    null = masked.null_correlations(response, predictors, orders)
    refits = [[masked.correlation(response[np.ix_(order, order)], one) for one in predictors] for order in orders]
    assert null == pytest.approx(np.array(refits), abs=1e-12)


def test_holes_of_a_predictor_stay_where_they_are():
    rng = np.random.default_rng(12)
    response, predictor = rng.normal(size=(9, 9)), punched(rng, rng.normal(size=(9, 9)), 0.1)
    identity = np.arange(9)[None]
    both = masked.null_correlations(response, [predictor, rng.normal(size=(9, 9))], identity)[0]
    assert both[0] == pytest.approx(masked.correlation(response, predictor), abs=1e-12)
    orders = permutation.relabellings(9, 40, rng)
    null = masked.null_correlations(predictor, [response], orders)[:, 0]
    there = np.argsort(orders, axis=1)  # to rename one backwards is to rename the other
    assert null == pytest.approx([masked.correlation(predictor, response[np.ix_(one, one)]) for one in there], abs=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_masked_alike_a_correlation_is_not_diluted(share):
    rng, alike, unmasked = np.random.default_rng(13), [], []
    for _ in range(60):
        predictor = rng.normal(size=(20, 20))
        response = predictor / 2 + np.sqrt(0.75) * rng.normal(size=(20, 20)) + rng.normal(size=20)
        lacking = punched(rng, response, share)
        alike.append(masked.correlation(lacking, predictor))
        unmasked.append(permutation.correlation(lacking, predictor))
    assert np.mean(alike) == pytest.approx(0.5, abs=0.02)
    assert np.mean(unmasked) < 0.5 * np.sqrt(1 - share) + 0.02


@pytest.mark.parametrize("shares", mostly_slow([(0.3, 0), (0, 0.2), (0.2, 0.2)], [(0.2, 0.2)]), ids="{0[0]}-{0[1]}".format)
def test_p_values_hold_under_holes(shares):
    (mine, theirs), rng, rejected = shares, np.random.default_rng(14), []
    for _ in range(300):
        response, predictor = rng.normal(size=(2, 14, 14)) + 2 * rng.normal(size=(2, 1, 14)) + 2 * rng.normal(size=(2, 14, 1))
        response, predictor = punched(rng, response, mine), punched(rng, predictor, theirs)
        keep = usable(response, predictor)
        response, predictor = response[np.ix_(keep, keep)], predictor[np.ix_(keep, keep)]
        orders = permutation.relabellings(len(keep), 99, rng)
        null = masked.null_correlations(response, [predictor], orders)
        rejected.append(permutation.p_values(np.array([masked.correlation(response, predictor)]), null, False)[0] <= 0.05)
    assert 0.015 <= np.mean(rejected) <= 0.09


def table_of(transfer, similarity=None, tasks=None):
    return statistics.analyse(
        transfer, similarity_table(N) if similarity is None else similarity, tasks_table(N) if tasks is None else tasks, permutations=49
    )


@pytest.fixture(scope="module")
def transfer():
    return transfer_table(N, methods=("coop", "vpt"), seeds=(1, 2, 3))


@pytest.fixture(scope="module")
def whole(transfer):
    return table_of(transfer)


def without(transfer, **where):
    there = np.logical_and.reduce([transfer[key] == value for key, value in where.items()])
    return transfer.assign(score=transfer["score"].where(~there))


MISSING = {
    "cell of one seed": [{"method": "coop", "source": "task_01", "target": "task_03", "seed": 2}],
    "cell": [{"method": "coop", "source": "task_01", "target": "task_03"}],
    "row": [{"method": "coop", "source": "task_01"}],
    "column": [{"method": "coop", "target": "task_01"}],
    "seed": [{"method": "coop", "seed": 2}],
    "row of one seed": [{"method": "coop", "source": "task_01", "seed": 2}],
    "two seeds of three": [{"method": "coop", "seed": 2}, {"method": "coop", "seed": 3}],
    "other seeds in other cells": [{"method": "coop", "target": f"task_0{j}", "seed": 1 + j % 3} for j in range(N)],
}


@pytest.mark.parametrize("what", mostly_slow(MISSING, ["cell", "row of one seed", "two seeds of three"]))
def test_what_is_missing_takes_nothing_else_away(transfer, whole, what):
    lacking = transfer
    for where in MISSING[what]:
        lacking = without(lacking, **where)
    found = table_of(lacking)
    keys = ["response", "method", "protocol", "measure", "test"]
    one, other = whole.set_index(keys)["estimate"], found.set_index(keys)["estimate"]
    assert list(other.index[other.index.get_level_values("method") == "vpt"]) == list(
        one.index[one.index.get_level_values("method") == "vpt"]
    )
    pd.testing.assert_series_equal(one.xs("vpt", level="method"), other.xs("vpt", level="method"))
    lost = one.index.difference(other.dropna().index)
    if what == "two seeds of three":  # what seeds change cannot be told from one
        tests = {"reliability", "noise_ceiling", "disattenuated", "variance_share"}
        assert set(lost.get_level_values("test")) == tests
        lost = lost[lost.get_level_values("test") != "disattenuated"]
        assert set(lost.get_level_values("measure")) == {"relationship", "seed"}
        assert set(found.loc[found["test"] == "reliability", "reason"]) == {
            "",
            "one seed: what would change with another seed is not known",
        }
    else:
        assert lost.get_level_values("test").isin(["social_relations"]).all(), list(lost)
    cells = found.set_index(keys)["n_cells"].xs(("logit_gain", "coop", "frozen"), level=keys[:3])
    score = collect(lacking, tasks_table(N))[0].score
    assert cells["relationship", "variance_share"] == np.isfinite(off_diagonal(score)).sum()
    counted = np.isfinite(off_diagonal(seed_mean(score)))
    task = what in ("row", "column")  # a task without cells of one kind stands in no test by renaming
    assert cells["vis_frechet", "two_way"] == ((N - 1) * (N - 2) if task else counted.sum())


def test_a_target_without_zero_shot_score_has_no_gain_and_keeps_its_other_scales(transfer):
    bare = without(transfer, source="template", target="task_02")
    tasks = tasks_table(N)
    found = table_of(bare, tasks=tasks.assign(zero_shot=tasks["zero_shot"].where(tasks["task"] != "task_02")))
    tested = found[(found["test"] == "two_way") & (found["measure"] == "vis_frechet")].set_index(["response", "method"])["n_tasks"]
    assert all(n == (N - 1 if response in ("logit_gain", "perfection_gap") else N) for (response, _), n in tested.items())
    shares = found[(found["test"] == "variance_share") & (found["response"] == "logit_gain") & (found["measure"] == "source")]
    assert shares["estimate"].notna().all() and (shares["n_tasks"] == N).all()


def with_measure(change) -> pd.DataFrame:
    table = similarity_table(N)
    mine = table["measure"] == "lab_cover"
    return pd.concat([table[~mine], change(table[mine].copy())])


def one_row_undefined(mine):
    return mine.assign(value=mine["value"].where(mine["source"] != "task_04"))


UNTESTABLE = {
    "constant": (lambda mine: mine.assign(value=0.3), "the same for all pairs of tasks"),
    "constant up to rounding": (lambda mine: mine.assign(value=0.3 + 1e-17 * np.arange(len(mine))), "the same for all pairs of tasks"),
    "by source alone": (lambda mine: mine.assign(value=mine["source"].str[-1].astype(float)), "source and target alone explain it"),
    "nowhere defined": (lambda mine: mine.assign(value=np.nan), "no value for any pair of tasks"),
    "for three tasks": (lambda mine: mine[mine["source"].isin(FEW) & mine["target"].isin(FEW)], "fewer than 4 tasks"),
    "for itself alone": (
        lambda mine: mine.assign(value=mine["value"].where(mine["source"] == mine["target"])),
        "no value for any pair of tasks",
    ),
}
FEW = ["task_00", "task_01", "task_02"]


@pytest.mark.parametrize("what", mostly_slow(UNTESTABLE, ["constant up to rounding", "by source alone", "for three tasks"]))
def test_a_measure_that_cannot_be_tested_is_listed_with_its_reason(transfer, what):
    change, words = UNTESTABLE[what]
    similarity = with_measure(change)
    found = table_of(transfer, similarity)
    rows = found[(found["measure"] == "lab_cover") & (found["test"] == "two_way")]
    assert len(rows) == 2 * (len(RESPONSES) - len(NEEDS_PROBE))
    assert rows["estimate"].isna().all() and rows["reason"].str.startswith(words).all()
    others = found[(found["measure"] == "vis_frechet") & (found["test"] == "two_way")]
    assert others["p"].notna().all() and (others["reason"] == "").all()
    summary = statistics.summary(transfer, similarity, found, tasks_table(N))
    told = [one for one in summary["not_tested"] if one["response"] == "logit_gain"]
    assert {(one["method"], one["measure"]) for one in told} == {("coop", "lab_cover"), ("vpt", "lab_cover")}
    assert all(one["measure"] != "lab_cover" for one in summary["correlations"])
    assert found.loc[found["confirmatory"] & found["p"].notna(), "p_holm"].notna().all()


def test_a_measure_that_is_constant_where_scores_are_says_so(transfer):
    """It varies, but only in a column whose scores are missing."""
    lacking = without(transfer, target="task_07")
    similarity = with_measure(lambda mine: mine.assign(value=np.where(mine["target"] == "task_07", mine["value"], 1.0)))
    rows = table_of(lacking, similarity).query("measure == 'lab_cover' and test == 'two_way'")
    assert set(rows["reason"]) == {"the same for all pairs of tasks"}


def test_a_measure_undefined_for_one_source_is_tested_without_it(transfer, whole):
    found = table_of(transfer, with_measure(one_row_undefined))
    rows = found.query("measure == 'lab_cover' and test == 'two_way'")
    assert (rows["n_tasks"] == N - 1).all() and rows["estimate"].notna().all()
    # tested apart from the others, so that the p that allows for all of them is the larger for it
    key = {"measure": "vis_frechet", "test": "two_way_max_t", "response": "logit_gain", "method": "coop"}
    before, after = (table.loc[np.logical_and.reduce([table[k] == v for k, v in key.items()]), "p"].item() for table in (whole, found))
    assert after >= before


@pytest.mark.parametrize("column", [0.0, 0.1, 0.7])
def test_targets_whose_sources_are_alike_count_in_no_share(transfer, column):
    """Also where the mean of equal scores is not quite that score."""
    flat = transfer.assign(score=transfer["score"].where(transfer["target"] != "task_05", column))
    found = table_of(flat).query("method == 'coop' and measure in ['ctrl_random', 'vis_frechet']").set_index(["measure", "test"])
    assert found.loc[("ctrl_random", "regret@1_share"), "estimate"] == pytest.approx(1)
    assert found.loc[("vis_frechet", "regret@1_share"), "n_tasks"] == N - 1 and found.loc[("vis_frechet", "regret@1"), "n_tasks"] == N
    assert 0 <= found.loc[("vis_frechet", "regret@1_share"), "estimate"] < 5


def test_where_all_sources_are_alike_there_is_no_share():
    flat = transfer_table(N).assign(score=0.1)
    found = table_of(flat)
    shares = found[found["test"] == "regret@1_share"]
    assert (
        shares["estimate"].isna().all()
        and set(shares["reason"]) == {"no target has sources that differ"}
        and (shares["n_tasks"] == 0).all()
    )


def test_counts_are_of_what_was_measured(transfer):
    lacking = without(without(transfer, method="coop", seed=3), method="vpt", source="task_02")
    for name in ("source", "target"):
        lacking = without(lacking, **{name: "task_06"})
    found = statistics.summary(lacking, similarity_table(N), table_of(lacking), tasks_table(N))
    inside = lacking[lacking["source"].isin(tasks_table(N)["task"])]
    assert found["n_cells"] == inside["score"].notna().sum() and found["n_cells"] + found["n_missing_cells"] == len(inside)
    assert found["n_calibration_cells"] == lacking["score"].notna().sum() - found["n_cells"]
    assert found["n_tasks_measured"] == N - 1 and found["seeds"] == [1, 2, 3]
    coop, vpt = found["by_method"]
    assert (coop["n_seeds"], vpt["n_seeds"]) == (2, 3) and coop["n_pairs"] == (N - 1) * (N - 2) and vpt["n_pairs"] == (N - 2) ** 2
    assert coop["n_cells"] + vpt["n_cells"] == found["n_cells"]
