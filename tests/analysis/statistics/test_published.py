"""The printed matrices are those of the figure, and a measured one is compared with them as plain formulas say."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from promptatlas.analysis import published
from promptatlas.analysis.statistics.families import of_tasks
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.published import beside, compare, rank_correlation
from promptatlas.analysis.statistics.scales import shares_of_means
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from synthetic_study import elevater_study, tasks_table, transfer_table

DIGITISED = Path(__file__).parents[4] / "shared" / "reference" / "mvlpt_fig4_digitised.json"


@pytest.fixture(scope="module")
def study():
    return elevater_study(12)


def compared(tables, permutations=199, order=None) -> dict:
    collected = collect(tables["transfer"], tables["tasks"])
    return compare(collected, order or collected[0].tasks, of_tasks(tables["tasks"]), permutations)


def off(values) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    return values[~np.eye(len(values), dtype=bool)]


def relationship_in_words(values: np.ndarray) -> np.ndarray:
    """What a regression on one dummy per source and one per target leaves over off the diagonal."""
    n = len(values)
    row, column = np.nonzero(~np.eye(n, dtype=bool))
    dummies = np.concatenate([np.eye(n)[row], np.eye(n)[column]], axis=1)
    response = values[row, column]
    return response - dummies @ np.linalg.lstsq(dummies, response, rcond=None)[0]


def test_figure_has_three_methods_of_twenty_tasks_whose_columns_end_at_one():
    assert published.methods() == ("coop", "vpt", "upt")
    for method in published.methods():
        figure = published.fig4(method)
        assert figure.shape == (20, 20) and list(figure.index) == list(figure.columns)
        assert figure.to_numpy().min() > 0 and figure.max().to_numpy() == pytest.approx(1, abs=published.PRECISION)


def test_figure_shows_what_is_known_of_it():
    """Facts noted of the figure by themselves: means, one cell of each method, and an own prompt that is beaten."""
    means = [off(published.fig4(method)).mean() for method in published.methods()]
    assert means == pytest.approx([0.52, 0.62, 0.52], abs=0.01)
    cells = [published.fig4(method).at["cifar-100", "cifar-10"] for method in published.methods()]
    assert cells == pytest.approx([0.89, 0.97, 0.91], abs=0.01)
    assert published.fig4("coop").at["hateful-memes", "hateful-memes"] == pytest.approx(0.91, abs=0.01)
    assert published.fig4("coop")["hateful-memes"].idxmax() == "voc-2007-classification"


def test_means_of_scores_give_a_figure_like_the_papers_and_means_of_shares_do_not():
    """All printed columns end at 1. Three seeds need not have the same best source, so that means of their shares may end below."""
    study = elevater_study(12, noise=0.2)
    transfer = study["transfer"]
    own = transfer[(transfer["method"] == "coop") & transfer["source"].isin(transfer["target"])]
    by_seed = own.pivot_table(index="source", columns=["seed", "target"], values="score")
    means, shares = by_seed.T.groupby("target").mean().T, (by_seed / by_seed.max()).T.groupby("target").mean().T
    [scores] = [one for one in collect(transfer, study["tasks"]) if one.method == "coop"]
    shown, _ = shares_of_means(scores.score, {})
    assert shown == pytest.approx((means / means.max()).loc[list(scores.tasks), list(scores.tasks)].to_numpy())
    ends = published.fig4("coop").max()
    assert ends.min() > 1 - published.PRECISION and shown.max(axis=0) == pytest.approx(1)
    assert (shares.max() < 1 - published.PRECISION).mean() > 0.3


@pytest.mark.skipif(not DIGITISED.exists(), reason="the digitised figure is not beside the checkout")
def test_table_holds_every_digitised_cell():
    source = json.loads(DIGITISED.read_text())
    for method, values in source["M_rows_source_cols_target"].items():
        assert published.fig4(method.lower()).to_numpy() == pytest.approx(np.array(values), abs=1e-12)


def test_unknown_method_is_named():
    with pytest.raises(UserError, match="no method 'maple'; it has coop, vpt, upt"):
        published.fig4("maple")


@pytest.mark.parametrize("gaps", [0, 7])
def test_rank_correlation_is_spearmans_over_the_cells_that_are_there(gaps):
    rng = np.random.default_rng(gaps)
    one, other = rng.normal(size=(7, 7)), rng.normal(size=(7, 7)).round(1)
    there = ~np.eye(7, dtype=bool)
    there[np.unravel_index(rng.permutation(49)[:gaps], (7, 7))] = False
    found = rank_correlation(one, other, there, np.arange(7)[None])[0]
    assert found == pytest.approx(scipy.stats.spearmanr(one[there], other[there]).statistic)


def test_p_is_the_share_of_all_renamings_that_correlate_as_much():
    rng = np.random.default_rng(4)
    one = rng.normal(size=(5, 5))
    other = one + 0.8 * rng.normal(size=(5, 5))
    there = ~np.eye(5, dtype=bool)
    every = np.array(list(permutations(range(5))))
    observed, p = rank_correlation(one, other, there, every)
    each = [scipy.stats.spearmanr(one[there], other[np.ix_(order, order)][there]).statistic for order in every]
    assert p == pytest.approx(np.mean(np.abs(each) >= abs(observed) - 1e-9)) and 1 / 120 <= p < 1


def test_unrelated_matrices_are_called_related_one_time_in_twenty():
    rng = np.random.default_rng(8)
    there = ~np.eye(8, dtype=bool)
    orders = rng.permuted(np.tile(np.arange(8), (199, 1)), axis=1)
    level = rng.normal(size=(300, 2, 8)) * 2
    p = [rank_correlation(*(rng.normal(size=(8, 8)) + targets for targets in pair), there, orders)[1] for pair in level]
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.10


def test_numbers_are_spearmans_of_shares_and_of_what_source_and_target_leave_over(study):
    transfer = study["transfer"]
    for entry in compared(study)["by_method"]:
        rows = transfer[(transfer.method == entry["method"]) & transfer.source.isin(entry["tasks"])]
        means = rows.pivot_table(index="source", columns="target", values="score").loc[entry["tasks"], entry["tasks"]]
        measured = (means / means.max()).to_numpy()
        assert measured.max(axis=0) == pytest.approx(1), "every column ends at 1, as in the figure"
        printed = published.fig4(entry["method"]).loc[entry["tasks"], entry["tasks"]]
        printed = (printed / printed.max()).to_numpy()
        assert np.array(entry["measured"]) == pytest.approx(measured)
        assert np.array(entry["published"]) == pytest.approx(printed)
        assert (entry["n_tasks"], entry["n_cells"]) == (12, 132)
        expected = scipy.stats.spearmanr(off(measured), off(printed)).statistic
        assert entry["rank_correlation"] == pytest.approx(expected)
        expected = scipy.stats.spearmanr(relationship_in_words(measured), relationship_in_words(printed)).statistic
        assert entry["relationship_rank_correlation"] == pytest.approx(expected)


def test_study_that_follows_the_figure_agrees_and_one_of_noise_does_not(study):
    for entry in compared(study)["by_method"]:
        assert entry["relationship_rank_correlation"] > 0.7 and entry["relationship_p"] == pytest.approx(1 / 200)
    scores = named_rng("test").uniform(0.1, 0.9, len(study["transfer"]))
    noise = study | {"transfer": study["transfer"].assign(score=scores)}
    for entry in compared(noise)["by_method"]:
        assert abs(entry["relationship_rank_correlation"]) < 0.3 and entry["relationship_p"] > 0.01


def test_beyond_family_is_asked_where_tasks_share_one(study):
    for entry in compared(study)["by_method"]:
        assert entry["p"] <= entry["p_blocks"] < 0.05 and entry["relationship_p_blocks"] < 0.05
    apart = study | {"tasks": study["tasks"].assign(family="own")}
    for entry in compared(apart)["by_method"]:
        assert entry["p_blocks"] is None and entry["relationship_p_blocks"] is None


def test_tasks_come_in_the_order_asked_for(study):
    order = sorted(study["tasks"]["task"], reverse=True)
    turned, straight = compared(study, order=order)["by_method"][0], compared(study)["by_method"][0]
    assert list(turned["tasks"]) == order
    assert np.array(turned["measured"]) == pytest.approx(np.array(straight["measured"])[::-1, ::-1])
    assert turned["rank_correlation"] == pytest.approx(straight["rank_correlation"])


def test_tasks_that_the_figure_lacks_change_nothing(study):
    other = {"oxford-flower-102": "my-flowers"}
    names = [name for name in study["tasks"]["task"] if name not in other]
    renamed = study | {
        "tasks": study["tasks"].replace({"task": other}),
        "transfer": study["transfer"].replace({"source": other, "target": other}),
    }
    without = study | {
        "tasks": study["tasks"][study["tasks"].task.isin(names)],
        "transfer": study["transfer"].query("target in @names and source != 'oxford-flower-102'"),
    }
    one, same = (compared(tables)["by_method"][0] for tables in (renamed, without))
    assert one["n_tasks"] == 11 and one == same


def test_missing_cells_are_left_out_and_counted(study):
    missing = (study["transfer"].source == "dtd") & (study["transfer"].target == "food-101")
    entry = compared(study | {"transfer": study["transfer"][~missing]})["by_method"][0]
    assert entry["n_cells"] == 131 and entry["n_tasks"] == 12
    place = entry["tasks"].index("dtd"), entry["tasks"].index("food-101")
    assert np.isnan(entry["measured"][place[0]][place[1]])
    assert entry["relationship_rank_correlation"] > 0.7


def test_nothing_is_said_of_too_few_tasks_other_tasks_other_methods_or_tuned_cells(study):
    assert compared(elevater_study(5))["by_method"][0]["n_tasks"] == 5
    assert compared(elevater_study(4)) is None
    tables = {"transfer": transfer_table(8), "tasks": tasks_table(8)}
    assert compared(tables, 9) is None
    other = study["transfer"].replace({"method": {"coop": "maple"}})
    assert [entry["method"] for entry in compared(study | {"transfer": other})["by_method"]] == ["vpt"]
    assert compared(study | {"transfer": study["transfer"].assign(protocol="init")}) is None


def test_both_sides_of_a_pair_have_a_best_source_of_one(study):
    pair = beside(collect(study["transfer"], study["tasks"])[0], list(study["tasks"]["task"]))
    assert pair.printed.max(axis=0) == pytest.approx(1) and pair.measured.max() <= 1
