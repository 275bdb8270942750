"""What looks best is scored by seeds that had no part in choosing it."""

import numpy as np
import pytest

from promptatlas.analysis import statistics
from promptatlas.analysis.statistics.held_out import best_sources, by_place
from promptatlas.analysis.statistics.matrices import collect
from synthetic_study import similarity_table, tasks_table, transfer_table


def test_a_place_is_worth_what_the_seed_left_out_says_of_what_the_others_put_there():
    values = np.array([[5.0, 1.0, 3.0], [0.0, 4.0, 2.0], [2.0, 3.0, 9.0]])
    # others of seed 0: means 1, 3.5, 5.5; of seed 1: 3.5, 2, 6; of seed 2: 2.5, 2.5, 2.5, all alike
    expected = np.mean([[3, 1, 5], [2, 0, 4], [14 / 3] * 3], axis=0)
    np.testing.assert_allclose(by_place(values), expected)


def test_luck_is_worth_nothing():
    """Of thirty sources that differ by luck alone the best of three seeds seems to be 1.2 standard deviations above the mean."""
    rng = np.random.default_rng(0)
    apparent, worth = np.mean([(values.mean(axis=0).max(), by_place(values)[0]) for values in rng.standard_normal((400, 3, 30))], axis=0)
    assert apparent > 1 and abs(worth) < 0.1


def test_what_is_the_same_in_every_seed_is_worth_what_it_seems():
    values = np.tile([0.3, 0.1, 0.2], (3, 1))
    np.testing.assert_allclose(by_place(values), [0.3, 0.2, 0.1])


def test_one_seed_says_nothing_and_gaps_are_no_candidates():
    assert np.isnan(by_place(np.array([[1.0, 2.0]]))).all()
    values = np.array([[1.0, 9.0, np.nan], [2.0, np.nan, np.nan], [3.0, np.nan, np.nan]])
    np.testing.assert_allclose(by_place(values), [2.0, np.nan, np.nan])


@pytest.fixture(scope="module")
def study():
    return transfer_table(6), tasks_table(6), similarity_table(6)


def test_best_sources_of_a_study(study):
    transfer, tasks, _ = study
    scores = collect(transfer, tasks)[0]
    found = best_sources(scores)
    gains = transfer[transfer["method"] == scores.method].assign(
        gain=lambda t: 100 * (t["score"] - t["target"].map(dict(zip(scores.tasks, scores.zero_shot, strict=True))))
    )
    worths = []
    for one in found["targets"]:
        own = gains[(gains["target"] == one["target"]) & gains["source"].isin(set(scores.tasks) - {one["target"]})]
        table = own.pivot(index="seed", columns="source", values="gain")
        order = table.mean().sort_values(ascending=False)
        assert [source["source"] for source in one["sources"]] == order.index[:3].tolist()
        assert [source["apparent"] for source in one["sources"]] == pytest.approx(order[:3].tolist())
        assert one["sources"][0]["low"] == pytest.approx(table[order.index[0]].min())
        worth = np.mean([table.loc[seed, table.drop(seed).mean().idxmax()] for seed in table.index])
        assert one["sources"][0]["held_out"] == pytest.approx(worth)
        worths.append(worth)
    assert found["points"]["held_out"] == pytest.approx(np.mean(worths))
    assert found["points"]["low"] < found["points"]["held_out"] < found["points"]["high"]
    assert found["points"]["held_out"] < found["points"]["apparent"]


def test_the_summary_has_them_and_scores_givers_by_other_seeds(study):
    transfer, tasks, similarity = study
    told = statistics.summary(transfer, similarity, statistics.analyse(transfer, similarity, tasks, permutations=9), tasks)
    one = told["by_method"][0]
    assert len(one["best_sources"]["targets"]) == 6 and all(len(best["sources"]) == 3 for best in one["best_sources"]["targets"])
    for role in ("givers", "receivers"):
        worth = [entry["held_out"] for entry in one[role]]
        assert worth[0] > worth[-1] and np.isclose(sum(worth), 0, atol=1e-9), "effects of a seed sum to zero"
        assert worth != [entry["effect"] for entry in one[role]]


def test_the_summary_of_one_seed_says_that_nothing_is_known(study):
    transfer, tasks, similarity = study
    alone = transfer[transfer["seed"] == 1]
    told = statistics.summary(alone, similarity, statistics.analyse(alone, similarity, tasks, permutations=9), tasks)
    one = told["by_method"][0]
    assert one["best_sources"]["points"]["held_out"] is None and one["givers"][0]["held_out"] is None
    assert one["best_sources"]["targets"][0]["sources"][0]["held_out"] is None
