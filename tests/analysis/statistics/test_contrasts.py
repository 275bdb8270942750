"""Two measures, methods or protocols against each other: loops, planted truths, and what cannot be told."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from promptatlas.analysis import statistics
from promptatlas.analysis.statistics import contrasts, masked, nulls
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.relations import effects
from promptatlas.analysis.statistics.scales import matrix
from synthetic_study import similarity_table, tasks_table, transfer_table
from tiers import mostly_slow

N = 12
APART = [f"task {number}" for number in range(N)]
PAIRS = [f"pair {number // 2}" for number in range(N)]


def deleted(values, members):
    keep = np.setdiff1d(np.arange(len(values)), members)
    return values[np.ix_(keep, keep)]


def naive_link(y, a, b, groups):
    """Difference of r, and t of the jackknifed difference of z, whole groups left out."""

    def z(*three):
        y, a, b = three
        return np.arctanh(masked.correlation(y, a)) - np.arctanh(masked.correlation(y, b))

    rest = np.array([z(*(deleted(one, group) for one in (y, a, b))) for group in groups])
    error = np.sqrt((len(rest) - 1) / len(rest) * ((rest - rest.mean()) ** 2).sum())
    return masked.correlation(y, a) - masked.correlation(y, b), 2 * t.sf(abs(z(y, a, b)) / error, len(rest) - 1)


def test_the_difference_of_two_links_is_a_jackknife_on_z_over_tasks_and_over_families():
    rng = np.random.default_rng(0)
    y, a, b = rng.normal(size=(3, N, N))
    y = y + a + 0.3 * b
    (row,) = contrasts.measure_rows(y, {"a": a, "b": b}, PAIRS)
    gap, p = naive_link(y, a, b, [[task] for task in range(N)])
    assert row["measure"] == "a~b" and row["estimate"] == pytest.approx(gap) and row["p"] == pytest.approx(p)
    assert row["p_families"] == pytest.approx(naive_link(y, a, b, [[2 * pair, 2 * pair + 1] for pair in range(N // 2)])[1])
    assert row["low"] < row["estimate"] < row["high"] and (row["low"] > 0) == (p < 0.05)
    assert np.isnan(next(contrasts.measure_rows(y, {"a": a, "b": b}, APART))["p_families"])


def test_measures_are_compared_over_the_cells_that_both_have():
    rng = np.random.default_rng(1)
    y, a, b = rng.normal(size=(3, N, N))
    b[2, 5] = np.nan
    (row,) = contrasts.measure_rows(y, {"a": a, "b": b}, APART)
    lacking = np.where(np.isnan(b), np.nan, y)
    assert row["n_cells"] == N * (N - 1) - 1
    assert row["estimate"] == pytest.approx(masked.correlation(lacking, a) - masked.correlation(lacking, b))


def test_equal_links_are_not_told_apart_and_unequal_ones_are():
    rejected = {"equal": [], "one alone": []}
    for number in range(40):
        rng = np.random.default_rng(number)
        made = nulls.NULLS["effects"](rng, ["own"] * 14)
        a, b, other = made(), made(), made()
        for name, y in (("equal", a + b + 2 * other), ("one alone", a + other)):
            (row,) = contrasts.measure_rows(y, {"a": a, "b": b}, ["own"] * 14)
            rejected[name].append(row["p"] <= 0.05)
    assert np.mean(rejected["equal"]) <= 0.1 and np.mean(rejected["one alone"]) > 0.6


def rows(one, other, seeds=(1, 2, 3), families=APART, measures=None, other_seeds=None):
    found = contrasts.method_rows((one, other), (seeds, seeds if other_seeds is None else other_seeds), measures or {}, families)
    return pd.DataFrame(found).set_index("what")


def test_methods_share_what_they_were_given_to_share_whatever_noise_they_have_in_common():
    """Images of a seed are the same for both methods: noise that both have lowers no correlation and raises none."""
    found = []
    for number in range(30):
        rng = np.random.default_rng(number)
        one, other, _ = nulls.planted(nulls.PlantedEffects(), N, 3, rng)
        both = 1.5 * rng.normal(size=one.shape)
        found.append(rows(one + both, other + both)["estimate"])
    mean = pd.concat(found, axis=1).mean(axis=1)
    assert mean["relationship"] == pytest.approx(0.6, abs=0.15) and abs(mean["gain"]) < 0.3
    naive = masked.correlation((one + both).mean(axis=0), (other + both).mean(axis=0))
    assert naive > mean["relationship"] + 0.05


def test_correlations_without_noise_are_covariances_of_different_seeds_alone():
    rng = np.random.default_rng(3)
    one, other, _ = nulls.planted(nulls.PlantedEffects(), N, 3, rng)

    def g(values):
        return np.nan_to_num(effects(values).relationship).ravel()

    def common(a, b):
        return np.mean([g(a[s]) @ g(b[s_too]) for s in range(3) for s_too in range(3) if s != s_too])

    def turned(a, b):
        return np.mean([g(a[s]) @ g(b[s_too].T) for s in range(3) for s_too in range(3) if s != s_too])

    def variance(a, b):
        """Warner, Kenny & Stoto 1979, of a product of two matrices in place of a square."""
        same, mixed = common(a, b), turned(a, b)
        return ((same + mixed) / 2 / ((N - 1) * (N - 2) / 2 - 1) + (same - mixed) / ((N - 1) * (N - 2))) / 2

    expected = variance(one, other) / np.sqrt(variance(one, one) * variance(other, other))
    assert rows(one, other).at["relationship", "estimate"] == pytest.approx(expected)


@pytest.mark.parametrize("agreement", mostly_slow([1.0, 0.6], [1.0]))
def test_the_same_structure_is_not_called_another_and_another_is(agreement):
    parts = nulls.PlantedEffects(agreement=agreement)
    p = [rows(*nulls.planted(parts, N, 3, np.random.default_rng(number))[:2]).at["relationship", "p"] for number in range(25)]
    assert (np.mean(np.array(p) <= 0.05) <= 0.1) if agreement == 1 else (np.mean(np.array(p) <= 0.05) > 0.7)


def test_a_gain_is_the_mean_difference_with_tasks_and_seeds_at_random():
    rng = np.random.default_rng(4)
    one, other = rng.normal(size=(2, 3, N, N))
    off = ~np.eye(N, dtype=bool)
    row = rows(one, other).loc["gain"]
    assert row["estimate"] == pytest.approx((one - other)[:, off].mean()) and row["low"] < row["estimate"] < row["high"]
    single = rows(one[:1], other[:1], seeds=(1,))
    rest = [deleted((one - other)[0], task) for task in range(N)]
    each = np.array([values[~np.eye(N - 1, dtype=bool)].mean() for values in rest])
    half = t.ppf(0.975, N - 1) * np.sqrt((N - 1) / N * ((each - each.mean()) ** 2).sum())
    assert (single.at["gain", "high"] - single.at["gain", "low"]) / 2 == pytest.approx(half)
    assert set(single.loc[["giving", "receiving", "relationship"], "reason"]) == {
        "one seed: what would change with another seed is not known"
    }
    others = rows(one, other, other_seeds=(4, 5, 6)).loc["gain"]  # of other seeds nothing is paired
    assert others["estimate"] == pytest.approx(row["estimate"]) and others["low"] != row["low"]


def test_above_one_and_without_signal_it_says_so():
    loud = nulls.PlantedEffects(agreement=1.0, seed_cell=2.0)
    drawn = [nulls.planted(loud, 8, 2, np.random.default_rng(number))[:2] for number in range(20)]
    found = pd.concat([rows(*two, seeds=(1, 2), families=APART[:8]) for two in drawn]).drop(index="gain")
    above, none = found[found["estimate"] > 1], found[found["estimate"].isna()]
    assert len(above) and above["reason"].str.startswith("above 1").all()
    assert len(none) and set(none["reason"]) == {"the seeds have nothing in common"}


def test_the_table_of_a_study_has_every_pair_on_every_scale_and_allows_for_all_of_a_kind():
    transfer, similarity, tasks = transfer_table(8, protocols=("frozen", "init"), seeds=(1, 2)), similarity_table(8), tasks_table(8)
    table = statistics.contrast(transfer, similarity, tasks)
    assert list(table.columns) == list(contrasts.COLUMNS)
    assert set(zip(table["method"], table["protocol"], strict=True)) == {
        ("coop", "frozen"), ("vpt", "frozen"), ("coop", "init"), ("vpt", "init"),
        ("coop~vpt", "frozen"), ("coop~vpt", "init"), ("coop", "frozen~init"), ("vpt", "frozen~init"),
    }  # fmt: skip
    own = table[(table["what"] == "link") & ~table["method"].str.contains("~") & ~table["protocol"].str.contains("~")]
    assert set(own["measure"]) == {"vis_frechet~lab_cover"}  # the truth of drawn tasks is no measure
    two = table[(table["method"] == "coop~vpt") & (table["protocol"] == "frozen") & (table["response"] == "logit_gain")]
    assert list(two["what"]) == ["gain", "giving", "receiving", "relationship", "link", "link"]
    links = two[two["what"] == "link"]
    larger = np.fmax(links["p"], links["p_families"])
    assert links["p_holm"].max() == pytest.approx(max(min(2 * larger.min(), 1), larger.max()))
    assert table["p_holm"].notna().equals(table["p"].notna())
    scores = collect(transfer, tasks)
    gain = matrix(scores[0], "raw") - matrix(scores[1], "raw")
    raw = table[(table["method"] == "coop~vpt") & (table["protocol"] == "frozen") & (table["response"] == "raw")].set_index("what")
    assert raw.at["gain", "estimate"] == pytest.approx(gain[:, ~np.eye(8, dtype=bool)].mean())


def test_without_cells_there_is_a_reason():
    transfer = transfer_table(5, seeds=(1, 2))
    transfer.loc[(transfer["method"] == "vpt") & transfer["source"].str.startswith("task"), "score"] = np.nan
    table = statistics.contrast(transfer, similarity_table(5), tasks_table(5))
    two = table[(table["method"] == "coop~vpt") & (table["response"] == "raw")].set_index("what")
    assert two.at["gain", "reason"] == "no score is known" and two.at["giving", "reason"] and "link" not in two.index
