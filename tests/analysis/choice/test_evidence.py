"""Evidence: shapes that agree, and parts of it."""

import numpy as np
import pytest

from promptatlas.analysis.choice.evidence import Candidate, Evidence
from promptatlas.base.errors import UserError

CANDIDATES = (Candidate("coop", "letters", 1), Candidate("coop", "letters", 2), Candidate("vpt", "signs", 1))
RIGHT = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1.0]])


def evidence(**given) -> Evidence:
    usual = {
        "target": "tissue",
        "candidates": CANDIDATES,
        "contributions": RIGHT,
        "reference": np.array([1, 0, 0, 1.0]),
        "labels": np.array([0, 0, 1, 1]),
        "measures": {"logme": np.array([0.1, 0.2, np.nan])},
        "truth": np.array([0.6, 0.5, 0.9]),
    }
    return Evidence(**usual | given)


def test_differences_are_paired_image_by_image():
    np.testing.assert_array_equal(evidence().differences, [[0, 1, 0, 0], [0, 0, 0, -1], [0, 1, 1, 0]])


def test_a_part_keeps_what_belongs_together():
    part = evidence().without("letters")
    assert part.candidates == CANDIDATES[2:]
    np.testing.assert_array_equal(part.contributions, RIGHT[2:])
    np.testing.assert_array_equal(part.truth, [0.9])
    np.testing.assert_array_equal(part.measures["logme"], [np.nan])
    np.testing.assert_array_equal(evidence().among(np.array([2, 0])).truth, [0.9, 0.6])


def test_a_candidate_that_failed_is_not_usable():
    failed = RIGHT.copy()
    failed[1] = np.nan
    assert evidence(contributions=failed).usable.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"contributions": RIGHT[:, :3]}, "contributions has the shape \\(3, 3\\) in place of \\(3, 4\\)"),
        ({"reference": np.zeros(3)}, "reference has the shape"),
        ({"untuned": np.zeros(3)}, "untuned has the shape"),
        ({"truth": np.zeros(2)}, "truth has the shape"),
        ({"measures": {"leep": np.zeros(2)}}, "measure 'leep' has the shape"),
        ({"labels": np.zeros(0), "reference": np.zeros(0), "contributions": np.zeros((3, 0))}, "at least one per class"),
        ({"candidates": (), "contributions": np.zeros((0, 4)), "measures": {}, "truth": None}, "no candidate prompt"),
        ({"candidates": (CANDIDATES[0], *CANDIDATES[:2])}, "listed twice"),
        ({"reference": np.array([1, 0, np.nan, 1])}, "zero-shot prompt has no score"),
        ({"contributions": np.where(np.eye(3, 4) > 0, np.nan, RIGHT)}, "on some images only"),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_said_in_one_sentence(given, said):
    with pytest.raises(UserError, match=f"^choice for target 'tissue': .*{said}"):
        evidence(**given)


def test_no_candidate_left_is_said():
    with pytest.raises(UserError, match="no candidate prompt"):
        evidence().without("letters").without("signs")
