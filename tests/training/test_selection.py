"""The best so far: the first highest score, and never one that is no number, wherever it comes."""

import math

import numpy as np
import pytest

from promptatlas.base.errors import UserError
from promptatlas.training import selection

NAN, INF = math.nan, math.inf
BEST, LAST = {"select": "best_validation"}, {"select": "last"}


def chosen(scores: list[float], settings: dict = BEST) -> int:
    best = selection.epochs(settings)
    for epoch, score in enumerate(scores):
        best.offer(score, lambda epoch=epoch: epoch)
    return best.taken()


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.2, 0.5, 0.5, 0.1], 1),
        ([0.3, 0.3, 0.3], 0),
        ([0.0, 0.0], 0),
        ([NAN, 0.2, 0.1], 1),
        ([0.2, 0.1, NAN], 0),
        ([0.1, NAN, 0.3], 2),
        ([NAN, NAN, 0.0], 2),
        ([INF, 0.4], 1),
        ([0.4, INF, 0.5], 2),
        ([-INF, 0.4], 1),
    ],
)
def test_the_first_highest_number_is_chosen(scores, expected):
    assert chosen(scores) == expected
    assert selection.best_of("pair", np.array(scores)) == (expected,)


@pytest.mark.parametrize("scores", [[NAN], [NAN, NAN], [INF, NAN, -INF], []])
def test_without_any_number_nothing_is_chosen(scores):
    with pytest.raises(UserError, match="no epoch has a score that is a number"):
        chosen(scores)
    with pytest.raises(UserError, match="no pair has a score that is a number"):
        selection.best_of("pair", np.array(scores))


@pytest.mark.parametrize("seed", range(20))
def test_healthy_scores_are_chosen_from_as_ever(seed):
    """A strict maximum kept from left to right, and numpy's argmax."""
    scores = np.random.default_rng(seed).integers(0, 4, (5, 6)) / 4
    best = (-INF, 0)
    for place, score in enumerate(scores.flat):
        best = (score, place) if score > best[0] else best
    assert chosen(scores.ravel().tolist()) == best[1]
    assert selection.best_of("pair", scores) == np.unravel_index(scores.argmax(), scores.shape)


def test_what_is_not_kept_is_never_made():
    made, best = [], selection.Best("epoch")
    for score in (0.2, 0.1, NAN, 0.3):
        best.offer(score, lambda score=score: made.append(score) or score)
    assert made == [0.2, 0.3]


def test_a_fixed_number_of_epochs_ends_with_the_last():
    assert chosen([0.9, 0.1, 0.2], LAST) == 2
