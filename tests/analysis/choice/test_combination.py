"""The fitted combination: against another library, and what it may not see."""

import numpy as np
import pytest

from promptatlas.analysis.choice import combination
from promptatlas.analysis.choice.combination import combine, features
from synthetic_evidence import TASKS, study, with_other_truth


def test_coefficients_are_those_of_another_library(monkeypatch):
    from sklearn.linear_model import Ridge

    monkeypatch.setattr(combination, "PENALTIES", (10.0,))
    evidences = study(draws=1)
    found = combine(evidences, ["good", "blind"])
    target = "task3"
    rows, truths = [], []
    for one in evidences:
        if one.target != target:
            keep = one.sources != target
            rows.append(features(one, ["good", "blind"])[keep, 1:])
            truths.append((one.truth - one.reference_truth)[keep])
    rows, truths = np.concatenate(rows), np.concatenate(truths)
    scale = np.sqrt((rows**2).mean(axis=0))
    ridge = Ridge(alpha=10.0).fit(rows / scale, truths)
    own = next(e for e, one in enumerate(evidences) if one.target == target)
    np.testing.assert_allclose(found.own[own], ridge.predict(features(evidences[own], ["good", "blind"])[:, 1:] / scale), atol=1e-6)


@pytest.mark.parametrize("task", TASKS[:2])
def test_nothing_is_fitted_to_the_target_or_to_its_prompts(task):
    """Had everything of a task been other, in both roles, what is said of it would be the same."""
    evidences = study()
    found, other = combine(evidences, ["good"]), combine(with_other_truth(evidences, task), ["good"])
    number = found.tasks.index(task)
    for e, one in enumerate(evidences):
        if one.target == task:
            np.testing.assert_allclose(found.own[e], other.own[e], rtol=1e-9)
        else:
            np.testing.assert_allclose(found.beside[e][number], other.beside[e][number], rtol=1e-9)
            assert not np.allclose(found.own[e], other.own[e], rtol=1e-6)


def test_what_is_said_beside_a_task_knows_nothing_of_its_own_target_either():
    evidences = study()
    found, other = combine(evidences, ["good"]), combine(with_other_truth(evidences, "task2"), ["good"])
    own = next(e for e, one in enumerate(evidences) if one.target == "task2")
    penalties_alike = [t for t in range(7) if t != 2 and np.allclose(found.beside[own][t], other.beside[own][t])]
    assert penalties_alike, "only the penalty of another task's fit may differ"


def test_a_good_measure_is_used_and_a_blind_one_is_not():
    evidences = study(images=8)
    truth = np.concatenate([one.truth - one.reference_truth for one in evidences])
    with_good = np.concatenate(combine(evidences, ["good", "blind"]).own)
    alone = np.concatenate(combine(evidences, ["blind"]).own)
    assert np.corrcoef(with_good, truth)[0, 1] > np.corrcoef(alone, truth)[0, 1] + 0.2


def test_gaps_and_constants_say_nothing():
    one = study(draws=1)[0]
    one.measures["flat"], one.measures["gap"] = np.ones(12), np.where(np.arange(12) < 6, np.nan, np.arange(12.0))
    found = features(one, ["flat", "gap", "unknown"])
    assert (found[:, 2] == 0).all() and (found[:, 4] == 0).all() and (found[:6, 3] == 0).all()
    assert found[6:, 3].mean() == pytest.approx(0) and found[6:, 3].std() == pytest.approx(1)
