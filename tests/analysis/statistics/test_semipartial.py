"""Regression on several matrices and its double semi-partialling: golden values, dummy regressions in loops, one predictor."""

import numpy as np
import pytest

from promptatlas.analysis.statistics import masked, permutation, semipartial
from promptatlas.analysis.statistics.nulls import NULLS
from promptatlas.base.rng import named_rng

OFF = ~np.eye(8, dtype=bool)


def fixture():
    i, j = np.meshgrid(np.arange(1, 9), np.arange(1, 9), indexing="ij")
    y = np.sin(1.7 * i) + np.cos(0.9 * j) + 0.8 * np.sin(2.3 * i * j)
    return y, np.sin(2.3 * i * j) + 0.5 * np.cos(i + 2 * j), np.abs(i - j) / 8


def by_mean(there):
    """In place of source and target effects the mean alone, as in the published values."""
    return lambda values: np.where(there, values - (np.where(there, values, 0).sum(axis=(-2, -1), keepdims=True) / there.sum()), np.nan)


def punched(rng, values, share):
    return np.where(rng.random(values.shape) < share, np.nan, values)


def dummies(there):
    source, target = np.nonzero(there)
    return np.hstack([np.eye(len(there))[source], np.eye(len(there))[target]])


def left(values, design):
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def naive_t(y, design, x):
    """t of the last column by ordinary least squares on a design that may be of less than full rank."""
    y, x = left(y, design), left(x, design)
    slope = x @ y / (x @ x)
    freedom = len(y) - np.linalg.matrix_rank(design) - 1
    return slope / np.sqrt(((y - slope * x) ** 2).sum() / freedom / (x @ x))


def naive_null(response, predictors, orders):
    """t (K,) and its null (R, K), one fit per predictor and relabelling."""
    whole = ~np.eye(len(response), dtype=bool)
    there = whole & np.isfinite(response)
    observed, null = [], []
    for k, own in enumerate(predictors):
        others = [one for place, one in enumerate(predictors) if place != k]
        design = np.column_stack([dummies(there), *(one[there] for one in others)])
        observed.append(naive_t(response[there], design, own[there]))
        free = np.zeros_like(own)
        free[whole] = left(own[whole], np.column_stack([dummies(whole), *(one[whole] for one in others)]))
        back = [np.argsort(order) for order in orders]
        null.append([naive_t(response[there], design, free[np.ix_(order, order)][there]) for order in back])
    return np.array(observed), np.array(null).T


def test_published_values_of_the_regression_and_of_its_exact_test():
    """R's lm, sna::netlm and statsmodels agree on t; p by all 8! relabellings."""
    y, *x = fixture()
    found = semipartial.fit(semipartial.products([y, *x], by_mean))
    slopes = found.coefficient * y[OFF].std() / [one[OFF].std() for one in x]
    assert slopes == pytest.approx([0.488036482791, 1.02537979202], abs=1e-9)
    observed, null = semipartial.null_partials(y, x, permutation.relabellings(8, 40320, named_rng("test")), by_mean)
    assert observed * np.sqrt(53 / (1 - observed**2)) == pytest.approx([2.88557856703, 1.61347039893], abs=1e-9)
    assert permutation.p_values(observed, null, exact=True) == pytest.approx([82 / 40320, 0.1320933], abs=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.15])
def test_double_semi_partialling_equals_a_loop_of_dummy_regressions(share):
    rng = np.random.default_rng(1)
    x = list(rng.normal(size=(3, 9, 9)) + 2 * rng.normal(size=(3, 9, 1)))
    y = punched(rng, x[0] + rng.normal(size=(9, 9)) + 3 * rng.normal(size=9), share)
    orders = permutation.relabellings(9, 25, rng)
    expected, expected_null = naive_null(y, x, orders)
    observed, null = semipartial.null_partials(y, x, orders)
    freedom = (np.isfinite(y) & ~np.eye(9, dtype=bool)).sum() - 17 - 3

    def t(partial):
        return partial * np.sqrt(freedom / (1 - partial**2))

    assert t(observed) == pytest.approx(expected, rel=1e-9) and t(null) == pytest.approx(expected_null, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("share", [0.0, 0.15])
def test_shares_coefficients_and_inflation_equal_dummy_regressions(share):
    rng = np.random.default_rng(2)
    x = list(rng.normal(size=(3, 8, 8)))
    x[1] = x[0] + 0.5 * x[1]
    y = punched(rng, x[0] - x[2] + rng.normal(size=(8, 8)), share)
    there = np.isfinite(y) & OFF
    design = dummies(there)
    response, *own = (left(one[there], design) for one in (y, *x))
    found = semipartial.fit(semipartial.products([y, *x]))

    def explained(values, by):
        return 1 - (left(values, np.column_stack(by)) ** 2).sum() / (values @ values) if by else 0.0

    assert found.share == pytest.approx(explained(response, own))
    slopes = np.linalg.lstsq(np.column_stack(own), response, rcond=None)[0]
    assert found.coefficient == pytest.approx([slope * one.std() / response.std() for slope, one in zip(slopes, own, strict=True)])
    others = [[one for place, one in enumerate(own) if place != k] for k in range(3)]
    assert found.adds == pytest.approx([found.share - explained(response, rest) for rest in others])
    assert found.inflation == pytest.approx([1 / (1 - explained(one, rest)) for one, rest in zip(own, others, strict=True)])
    assert found.alone == pytest.approx([np.corrcoef(response, one)[0, 1] ** 2 for one in own])
    orders = permutation.relabellings(8, 6, rng)
    null = semipartial.null_shares(y, x, orders)
    for share_of_all, order in zip(null, orders, strict=True):
        back = np.argsort(order)
        assert share_of_all == pytest.approx(explained(response, [left(one[np.ix_(back, back)][there], design) for one in x]))


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_one_predictor_is_the_two_way_test_to_the_last_digit(share):
    rng = np.random.default_rng(3)
    y, x = punched(rng, rng.normal(size=(9, 9)), share), rng.normal(size=(9, 9))
    orders = permutation.relabellings(9, 99, rng)
    observed, null = semipartial.null_partials(y, [x], orders)
    assert observed[0] == pytest.approx(masked.correlation(y, x), abs=1e-12)
    alone = masked.null_correlations(y, [x], orders)
    assert null == pytest.approx(alone, abs=1e-10)
    assert semipartial.null_shares(y, [x], orders) == pytest.approx(alone[:, 0] ** 2, abs=1e-10)


def test_a_cell_that_a_predictor_lacks_is_left_out_of_all():
    rng = np.random.default_rng(4)
    y, *x = rng.normal(size=(3, 8, 8))
    lacking = [x[0], np.where(np.arange(64).reshape(8, 8) == 12, np.nan, x[1])]
    without = np.where(np.isnan(lacking[1]), np.nan, y)
    whole, given = (semipartial.fit(semipartial.products(one)) for one in ([without, *x], [y, *lacking]))
    assert given.coefficient == pytest.approx(whole.coefficient) and given.share == pytest.approx(whole.share)
    observed, null = semipartial.null_partials(y, lacking, permutation.relabellings(8, 19, rng))
    assert observed == pytest.approx(semipartial.null_partials(without, x, permutation.relabellings(8, 1, rng))[0])
    assert np.isfinite(null).all() and np.abs(null).max() <= 1 + 1e-9


def test_a_predictor_made_of_others_is_not_distinct():
    rng = np.random.default_rng(5)
    x = list(rng.normal(size=(3, 7, 7)))
    effects = 3 * rng.normal(size=(7, 1)) + rng.normal(size=7)
    assert semipartial.distinct([x[0], x[1], 2 * x[0] - x[1] + effects, x[2]]) == [True, True, False, True]


def test_the_strongest_chosen_again_equals_a_loop_and_is_dearer_than_the_same_named_before():
    rng = np.random.default_rng(6)
    y, *x = rng.normal(size=(6, 8, 8))
    groups, orders = ["a", "a", "b", "a", "b"], permutation.relabellings(8, 30, rng)
    null = semipartial.null_chosen_shares(y, x, groups, orders)
    for found, order in zip(null, orders, strict=True):
        moved = y[np.ix_(order, order)]
        links = [abs(masked.correlation(moved, one)) for one in x]
        best = [max((k for k in range(5) if groups[k] == group), key=lambda k: links[k]) for group in "ab"]
        assert found == pytest.approx(semipartial.fit(semipartial.products([moved, *(x[k] for k in best)])).share)
    assert null.mean() > semipartial.null_shares(y, [x[0], x[2]], orders).mean()


def test_a_second_predictor_that_goes_with_the_first_is_not_taken_for_a_cause_but_a_cause_is_found():
    """Rejection at .05 with strong sources and targets and tasks in a space; alone, the second would be found far too often."""
    rejected = {"first": [], "second": [], "second alone": []}
    for number in range(60):
        rng = np.random.default_rng(number)
        made = NULLS["effects"](rng, ["own"] * 12)
        first = made()
        second, y = 0.7 * first + 0.7 * made(), first + made()
        orders = permutation.relabellings(12, 99, rng)
        p = permutation.p_values(*semipartial.null_partials(y, [first, second], orders), exact=False)
        alone = permutation.p_values(*semipartial.null_partials(y, [second], orders), exact=False)
        for name, value in zip(rejected, [*p, *alone], strict=True):
            rejected[name].append(value <= 0.05)
    assert np.mean(rejected["second"]) <= 0.15 and np.mean(rejected["second alone"]) > 0.4 and np.mean(rejected["first"]) > 0.8
