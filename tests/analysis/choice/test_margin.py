"""The margin: what is chosen, and from whom."""

from dataclasses import replace

import numpy as np
import pytest

from made_up_evidence import evidence
from promptatlas.analysis.choice.decision import MARGIN, decide
from promptatlas.analysis.choice.margin import GRID, Lead, chosen, lead, margin
from promptatlas.base.errors import UserError


def leads(*pairs: tuple[float, float]) -> list[Lead]:
    return [Lead(f"task{i}", np.array([ratio]), np.array([gain])) for i, (ratio, gain) in enumerate(pairs)]


def test_the_margin_keeps_out_what_harms_and_lets_in_what_helps():
    assert chosen(leads((0.9, -0.05), (1.2, 0.04), (2.2, 0.06))) == 1.0
    assert chosen(leads((0.1, 0.05), (2.2, 0.06))) == 0.0
    assert chosen(leads((0.9, -0.009), (1.1, 0.04))) == 1.0, "less than a point is no harm, but no gain either"
    assert chosen(leads((9.0, -0.2), (1.1, 0.04))) == GRID[-1], "where every margin harms, the largest"


def test_some_harm_is_tolerated_among_many():
    many = [(1.2, 0.04)] * 99
    assert chosen(leads((1.2, -0.05), *many)) == 1.0
    assert chosen(leads((1.2, -0.05), (1.2, -0.05), (1.2, -0.05), *many)) > 1.2


def test_targets_count_alike_however_many_draws_they_have():
    often = [Lead("often", np.array([0.9]), np.array([-0.02]))] * 50
    rare = [Lead(f"rare{i}", np.array([0.9]), np.array([0.05])) for i in range(60)]
    assert chosen([*often, *rare]) == 0.75
    assert chosen([*often, *rare[:3]]) > 0.75


def test_candidates_that_lead_together_share_the_weight():
    tie = [Lead("a", np.array([1.2, 1.2]), np.array([0.08, -0.005])), *leads((0.4, -0.03))]
    assert chosen(tie) == 1.0


def test_without_tasks_it_is_the_usual_one():
    assert chosen([]) == MARGIN == margin([])


def test_the_margin_chosen_is_what_decides():
    rng = np.random.default_rng(0)
    known = [evidence(rng, rng.normal(-0.03, 0.06, 8), 60, target=f"task{i}") for i in range(30)]
    found = margin(known)
    assert found in GRID
    one = lead(known[0])
    assert (decide(known[0], found).verdict == "use") == bool((one.ratio > max(found, 1e-12)).all())


@pytest.mark.parametrize("truth", [None, np.full(8, np.nan)])
def test_evidence_without_truth_is_left_out_or_named(truth):
    with pytest.raises(UserError, match="no candidate prompt"):
        margin([replace(evidence(np.random.default_rng(0), np.zeros(8), 20), truth=truth)])
