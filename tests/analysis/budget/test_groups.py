"""Groups of tasks: against all partitions, closed cases, missing pairs, and seeds that did not choose."""

from collections.abc import Iterator

import numpy as np
import pytest

from promptatlas.analysis.budget import groups
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng


def partitions(tasks: list[int]) -> Iterator[list[list[int]]]:
    if not tasks:
        yield []
        return
    for rest in partitions(tasks[1:]):
        yield [[tasks[0]], *rest]
        for number, group in enumerate(rest):
            yield [*rest[:number], [tasks[0], *group], *rest[number + 1 :]]


def value(gains: np.ndarray, some: list[list[int]]) -> float:
    """Sum over tasks of the mean gain from partners; NaN if a pair is missing."""
    return sum(float(np.mean([gains[k, j] for k in group if k != j])) for group in some for j in group if len(group) > 1)


def best(gains: np.ndarray, largest: int, most: int) -> float:
    allowed = [some for some in partitions(list(range(len(gains)))) if max(map(len, some)) <= largest and len(some) <= most]
    return max(v for v in (value(gains, some) for some in allowed) if not np.isnan(v))


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize(("seed", "n", "largest"), [(0, 5, 4), (1, 6, 3), (2, 7, 2), (3, 8, 4)])
def test_no_partition_is_better(seed, n, largest, missing):
    rng = np.random.default_rng(seed)
    gains = np.where(rng.random((n, n)) < missing, np.nan, rng.normal(0, 3, (n, n)))
    found = groups.partition(gains, largest)
    assert sorted(task for group in found for task in group) == list(range(n)) and max(map(len, found)) <= largest
    assert value(gains, found) == pytest.approx(best(gains, largest, n), abs=1e-9)
    assert groups.of_tasks(gains, found).sum() == pytest.approx(value(gains, found))


def test_few_groups_are_the_best_of_so_few():
    gains = np.random.default_rng(4).normal(-2, 3, (7, 7))
    for most in (2, 3, 5):
        found = groups.partition(gains, 4, most)
        assert len(found) <= most and value(gains, found) == pytest.approx(best(gains, 4, most))
    with pytest.raises(UserError, match="allow more groups"):
        groups.partition(gains, 3, 2)


def test_blocks_that_help_each_other_are_found():
    block = np.repeat([0, 1, 2], [4, 3, 1])
    gains = np.where(block[:, None] == block, 5.0, -5.0)
    assert groups.partition(gains) == ((0, 1, 2, 3), (4, 5, 6), (7,))


def test_nobody_is_grouped_where_nothing_gains():
    assert groups.partition(np.full((5, 5), -0.1)) == ((0,), (1,), (2,), (3,), (4,))
    assert groups.partition(np.full((4, 4), np.nan)) == ((0,), (1,), (2,), (3,))
    assert groups.partition(np.ones((1, 1))) == ((0,),)


def test_a_pair_may_be_worth_it_for_both_when_it_harms_one():
    assert groups.partition(np.array([[0, 3.0], [-2, 0]])) == ((0, 1),)
    assert groups.of_tasks(np.array([[0, 3.0], [-2, 0]]), [(0, 1)]).tolist() == [-2, 3]


def test_a_group_with_a_missing_pair_is_no_option():
    gains = np.full((3, 3), 2.0)
    gains[0, 1] = np.nan
    found = groups.partition(gains)
    assert found in (((0, 2), (1,)), ((0,), (1, 2)))
    assert groups.of_tasks(gains, [(0, 1)]).tolist()[0] == 2 and np.isnan(groups.of_tasks(gains, [(0, 1)])[1])


def test_what_seeds_agree_on_is_always_together():
    block = np.array([0, 0, 1, 1, 1, 2])
    sure = np.where(block[:, None] == block, 5.0, -5.0)
    np.testing.assert_allclose(groups.together(sure + np.random.default_rng(0).normal(0, 0.1, (3, 6, 6))), block[:, None] == block)
    noise = groups.together(np.random.default_rng(1).normal(0, 1, (3, 6, 6)))
    assert ((noise > 0.01) & (noise < 0.99)).any() and np.allclose(np.diag(noise), 1) and (noise == noise.T).all()


def test_one_seed_says_nothing_of_stability():
    shares = groups.together(np.ones((1, 3, 3)))
    assert np.isnan(shares[0, 1]) and shares[0, 0] == 1
    assert np.isnan(groups.judged(np.ones((1, 3, 3))).held_out)


def test_groups_are_judged_by_a_seed_that_did_not_choose():
    noise = np.random.default_rng(2).normal(0, 4, (3, 10, 10))
    of_noise = groups.judged(noise, repeats=100)
    assert of_noise.apparent > 2 and abs(of_noise.held_out) < 1.2 and 0.15 < of_noise.as_good < 0.85
    block = np.repeat([0, 1, 2], [4, 3, 3])
    true = groups.judged(np.where(block[:, None] == block, 5.0, -5.0) + noise / 20, repeats=100)
    assert true.held_out == pytest.approx(5, abs=0.3) and true.as_good == 0 and true.random < 0


def test_random_groups_have_the_same_sizes():
    rng = named_rng("test", "groups")
    for _ in range(20):
        some = groups.shuffled(((0, 1, 2), (3,), (4, 5)), rng)
        assert [len(group) for group in some] == [3, 1, 2] and sorted(sum(some, ())) == list(range(6))


def test_too_many_groups_are_refused_before_they_are_counted_out():
    with pytest.raises(UserError, match="fewer tasks or smaller groups"):
        groups.partition(np.zeros((400, 400)))
    assert len(groups.partition(np.full((40, 40), -1.0), 3)) == 40
