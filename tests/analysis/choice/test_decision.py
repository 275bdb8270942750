"""The decision: what it says, what ties do, and how often it is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from made_up_evidence import evidence, from_differences
from promptatlas.analysis.choice.decision import decide, leaders, passes
from promptatlas.analysis.choice.gains import gains


def rows(*pairs: tuple[int, int], images: int = 100) -> np.ndarray:
    """Differences of candidates that are right where the zero-shot prompt is wrong and the other way round, so many times."""
    return np.array([[1.0] * gained + [-1.0] * lost + [0.0] * (images - gained - lost) for gained, lost in pairs])


def test_a_source_that_clearly_helps_is_used():
    found = decide(from_differences(rows((5, 6), (32, 4), (3, 9))))
    assert (found.verdict, found.leading, found.chosen, found.tied, found.more_per_class) == ("use", 1, 1, (1,), None)
    assert found.gains.low[1] > 0.05 and found.best[1] > 0.95 and found.gains.helps[1] > 0.99


def test_sources_that_clearly_harm_are_left():
    found = decide(from_differences(rows((2, 30), (4, 28), (1, 40))))
    assert (found.verdict, found.chosen, found.more_per_class) == ("keep", None, None)


def test_a_source_that_may_help_asks_for_images():
    found = decide(from_differences(rows((3, 2), (0, 9), images=12)))
    assert found.verdict == "too_few" and found.chosen is None and found.more_per_class >= 1


def test_the_margin_counts_standard_errors():
    made = from_differences(rows((20, 10)))
    ratio = decide(made).gains.shrunk[0] / decide(made).gains.error[0]
    assert decide(made, ratio - 0.01).verdict == "use" and decide(made, ratio + 0.01).verdict != "use"
    assert decide(from_differences(rows((10, 20))), margin=-5).verdict != "use", "a source that looks harmful is never used"


def test_nothing_to_choose_from_keeps_the_hand_written_prompt():
    found = decide(from_differences(np.full((2, 8), np.nan)))
    assert (found.verdict, found.leading, found.tied) == ("keep", None, ())


def test_a_failed_candidate_never_leads():
    found = decide(from_differences(np.insert(rows((32, 4), (3, 9)), 0, np.nan, axis=0)))
    assert (found.verdict, found.leading) == ("use", 1)


def test_ties_are_told_and_drawn_by_lot():
    """Neither by place nor by the target's name: another order of the same candidates and another name give the same, other images and
    draws another one."""
    differences = rows((30, 2), (30, 2), (1, 5), (30, 2))
    leads = []
    for repeat in range(60):
        made = replace(from_differences(differences), draw=repeat % 6, labels=np.arange(differences.shape[1]) % (2 + repeat // 6))
        found, turned = decide(made), decide(made.among(np.array([3, 2, 1, 0])))
        assert decide(replace(made, target="another name")).leading == found.leading
        assert found.tied == (0, 1, 3) and turned.tied == (0, 2, 3)
        assert made.candidates[found.leading] == made.candidates[3 - turned.leading]
        leads.append(found.leading)
    assert set(leads) == {0, 1, 3} and max(np.bincount(leads)) < 35


def test_one_image_per_class_and_one_candidate():
    found = decide(from_differences(np.array([[1.0]])))
    assert found.verdict in ("use", "too_few") and found.gains.low[0] == -1 and found.best[0] == 1


def test_a_tie_with_the_hand_written_prompt_is_no_reason_to_change():
    found = decide(from_differences(np.zeros((3, 200))))
    assert found.verdict == "keep" and found.tied == (0, 1, 2)


@pytest.mark.parametrize("images", [8, 32, 128, 500])
@pytest.mark.parametrize(("count", "most"), [(1, 0.22), (19, 0.3), (200, 0.22)])
def test_a_source_is_seldom_used_where_none_helps(images, count, most):
    """A margin of one standard error lets through what is above it by luck, 16 of 100, for one candidate or hundreds, and some more for
    a few, whose spread is hard to tell; two lets through 2.
    """
    rng = np.random.default_rng(11)
    used = []
    for i in range(120):
        found = gains(evidence(rng, np.zeros(count), images, target=f"null{i}"))
        used.append([passes(found, leaders(found)[0], margin) for margin in (1.0, 2.0)])
    assert np.mean(used, axis=0)[0] <= most and np.mean(used, axis=0)[1] <= 0.06, np.mean(used, axis=0)


def test_so_many_more_images_do_tell():
    """With what `more_per_class` asks for, a source that helps by six points is used in about four of five cases."""
    rng = np.random.default_rng(12)
    asked = [decide(evidence(rng, np.array([0.06]), 40, target=f"few{i}")) for i in range(300)]
    asked = [found for found in asked if found.verdict == "too_few"]
    assert len(asked) > 50
    shown = [decide(evidence(rng, np.array([0.06]), 40 + 4 * found.more_per_class)).verdict == "use" for found in asked]
    assert 0.6 < np.mean(shown) < 0.97, np.mean(shown)


def test_marks_of_several_classes_count_as_classes():
    made = from_differences(rows((3, 2), images=12))
    marks = replace(made, labels=np.ones((12, 3), np.uint8))
    assert decide(marks).more_per_class == -(-decide(made).more_per_class // 3)
