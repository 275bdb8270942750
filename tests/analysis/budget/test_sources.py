"""Sources under a budget: against all subsets, greedy choice and closed cases; judged on seeds that did not choose."""

from itertools import combinations

import numpy as np
import pytest

from promptatlas.analysis.budget.sources import NONE, choose_sources, curve, judged, served
from promptatlas.base.errors import UserError


def gains_of(seed: int, n: int, missing: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gains = rng.normal(0.5, 4, (n, n)) + rng.normal(0, 2, (n, 1))
    return np.where(rng.random((n, n)) < missing, np.nan, gains)


def value(gains: np.ndarray, sources: tuple[int, ...]) -> float:
    """By loops: the best of the sources other than the target itself, or 0."""
    best = []
    for target in range(gains.shape[1]):
        own = [gains[source, target] for source in sources if source != target and not np.isnan(gains[source, target])]
        best.append(max([0.0, *own]))
    return float(np.mean(best))


def greedy(gains: np.ndarray, k: int) -> float:
    chosen: tuple[int, ...] = ()
    for _ in range(k):
        chosen = max(((*chosen, one) for one in range(len(gains))), key=lambda some: value(gains, some))
    return value(gains, chosen)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_no_subset_is_better(seed, missing):
    gains = gains_of(seed, 5 + seed, missing)
    for k in range(len(gains) + 1):
        best = max(value(gains, some) for some in combinations(range(len(gains)), k))
        chosen = choose_sources(gains, k)
        assert chosen.value == pytest.approx(best, abs=1e-12) and len(chosen.sources) <= k
        assert chosen.value == pytest.approx(value(gains, chosen.sources), abs=1e-12)


def test_greedy_is_never_better_and_sometimes_worse():
    pairs = [(choose_sources(gains_of(seed, 12), k).value, greedy(gains_of(seed, 12), k)) for seed in range(6) for k in (2, 3, 5)]
    assert all(exact >= other - 1e-9 for exact, other in pairs) and any(exact > other + 1e-6 for exact, other in pairs)


def test_two_sources_that_greedy_does_not_find():
    """The third source is the best alone; the first two together serve everybody."""
    gains = np.full((5, 5), np.nan)
    gains[0, 2:] = [10, 10, 0]
    gains[1, [0, 2, 3, 4]] = [10, 0, 0, 10]
    gains[2, [0, 1, 3, 4]] = [6, 0, 7, 9]
    best = choose_sources(gains, 2)
    assert best.sources == (0, 1) and best.serves.tolist() == [1, NONE, 0, 0, 1] and best.value == 8


def test_a_task_serves_itself_only_if_asked():
    gains = 5 * np.eye(4)
    assert choose_sources(gains, 4).sources == () and (choose_sources(gains, 4).serves == NONE).all()
    assert choose_sources(gains, 3, itself=True).value == pytest.approx(15 / 4)
    assert choose_sources(np.array([[1.0, 2.0, -3.0]]), 1, itself=True).serves.tolist() == [0, 0, NONE]


def test_the_hand_written_prompt_is_kept_where_no_source_gains():
    assert choose_sources(np.full((4, 4), -1.0), 2).value == 0
    assert choose_sources(np.full((4, 4), np.nan), 2).sources == ()
    chosen = choose_sources(np.array([[0, 3.0, -2], [-1, 0, -2], [-9, 1, 0]]), 2)
    assert chosen.sources == (0,) and chosen.serves.tolist() == [NONE, 0, NONE]


def test_small_and_large_gains_are_told_apart():
    """In any unit: the solver's own tolerances are absolute."""
    gains = gains_of(3, 8)
    for unit in (1e-9, 1e9):
        assert choose_sources(gains * unit, 3).sources == choose_sources(gains, 3).sources


def test_the_curve_rises_and_ends_where_a_source_more_gains_nothing():
    gains = gains_of(5, 9)
    values = [one.value for one in curve(gains)]
    assert values[0] == 0 and (np.diff(values) > 0).all()
    assert values[-1] == pytest.approx(choose_sources(gains, 9).value)
    assert [len(one.sources) for one in curve(gains)] == list(range(len(values)))
    assert len(curve(np.full((3, 3), -1.0))) == 1


def test_what_is_noise_is_worth_nothing_on_another_seed():
    """Pure noise looks good where it was chosen and is as good as random where it was not; what all seeds agree on stays."""
    noise = np.random.default_rng(0).normal(0, 5, (4, 12, 12))
    of_noise = judged(noise, 3)
    assert of_noise.apparent > 2 and abs(of_noise.held_out) < 1.2 and 0.2 < of_noise.as_good < 0.8
    true = judged(gains_of(1, 12) + noise / 50, 3)
    assert true.held_out == pytest.approx(true.apparent, abs=0.1) and true.as_good < 0.05 and true.random < true.held_out


def test_random_choices_are_of_as_many_sources_as_are_worth_choosing():
    """One source helps: it is held against single ones, however many might be chosen."""
    values = np.full((2, 6, 6), -1.0)
    values[:, 2] = 5
    few, many = judged(values, 1), judged(values, 5)
    assert few.held_out == many.held_out == pytest.approx(25 / 6)
    assert few.random == pytest.approx(25 / 36, abs=0.3) and many.random == pytest.approx(25 / 36, abs=0.3)


def test_a_target_that_is_missing_on_the_seed_left_out_is_not_counted_there():
    values = np.full((2, 3, 3), -1.0)
    values[:, 0, 1], values[:, 0, 2] = 6, 3
    values[1, 0, 2] = np.nan
    without_first, without_second = (0 + 6 + 0) / 3, (0 + 6) / 2
    assert judged(values, 1).held_out == pytest.approx((without_first + without_second) / 2)


def test_one_seed_judges_nothing():
    assert np.isnan([judged(gains_of(0, 5)[None], 2).held_out, judged(gains_of(0, 5)[None], 2).as_good]).all()


def test_the_same_gains_give_the_same_judgement():
    values = np.random.default_rng(2).normal(size=(3, 7, 7))
    assert judged(values, 2) == judged(values, 2)


def test_serving_takes_the_best_of_what_was_chosen():
    one = served(np.array([[1.0, np.nan], [2.0, -1.0], [9.0, 9.0]]), np.array([0, 1]))
    assert one.sources == (1,) and one.serves.tolist() == [1, NONE] and one.value == 1


@pytest.mark.parametrize(
    ("gains", "k", "words"),
    [(np.ones((2, 3)), 1, "square"), (np.ones((2, 2)), -1, "at least 0"), (np.full((2, 2), np.inf), 1, "infinite")],
)
def test_bad_input_is_told(gains, k, words):
    with pytest.raises(UserError, match=words):
        choose_sources(gains, k)
