"""When a prompt of another task helps: in every seed, over zero-shot and over the untuned prompt."""

import numpy as np
import pytest

from promptatlas.analysis.statistics.helping import helping
from promptatlas.analysis.statistics.matrices import collect
from synthetic_study import tasks_table, transfer_table


def counted(cells: dict, zero_shot=0.5, untuned=0.4, n=3) -> dict:
    """Counts in a study where `cells`, (source, target) -> scores by seed, are as given and all other prompts hurt."""
    tasks = tasks_table(n).assign(zero_shot=zero_shot)
    transfer = transfer_table(n, methods=("coop",))
    transfer["score"] = 0.1
    transfer.loc[transfer["source"] == "template", "score"] = zero_shot
    transfer.loc[transfer["source"] == "scratch", "score"] = untuned
    for (source, target), by_seed in cells.items():
        own = (transfer["source"] == f"task_{source:02d}") & (transfer["target"] == f"task_{target:02d}")
        transfer.loc[own, "score"] = by_seed
    return helping(collect(transfer, tasks)[0])


@pytest.mark.parametrize(
    ("by_seed", "untuned", "counts"),
    [
        ((0.6, 0.7, 0.6), 0.4, "helps every_seed_over_zero_shot every_seed_over_untuned mean_over_both mean_over_zero_shot"),
        ((0.6, 0.7, 0.49), 0.4, "every_seed_over_untuned mean_over_both mean_over_zero_shot"),
        ((0.6, 0.7, 0.6), 0.65, "every_seed_over_zero_shot mean_over_zero_shot"),
        ((0.6, 0.6, 0.6), 0.6, "every_seed_over_zero_shot mean_over_zero_shot"),
        ((0.5, 0.5, 0.5), 0.4, "every_seed_over_untuned"),
        ((0.45, 0.45, 0.45), 0.4, "every_seed_over_untuned"),
        ((0.9, 0.3, 0.3), 0.4, ""),
    ],
    ids=["clear", "hurts_in_one_seed", "below_the_untuned", "equals_the_untuned", "equals_zero_shot", "below_zero_shot", "one_lucky_seed"],
)
def test_what_counts_as_help(by_seed, untuned, counts):
    found = counted({(0, 1): by_seed}, untuned=untuned)
    shares = {name: value for name, value in found.items() if name not in ("pairs", "seeds")}
    assert shares == {name: pytest.approx((name in counts.split()) / 6) for name in shares}
    assert (found["pairs"], found["seeds"]) == (6, 3)


def test_a_task_helping_itself_is_no_pair():
    assert counted({(1, 1): (0.9, 0.9, 0.9)})["helps"] == 0


def test_a_pair_that_lacks_a_seed_is_no_pair_and_nothing_else_changes():
    found = counted({(0, 1): (0.6, 0.7, 0.6), (0, 2): (0.6, np.nan, 0.6)})
    assert found["pairs"] == 5 and found["helps"] == pytest.approx(1 / 5)


def test_without_untuned_prompts_only_zero_shot_is_counted():
    transfer = transfer_table(4)
    found = helping(collect(transfer[transfer["source"] != "scratch"], tasks_table(4))[0])
    assert np.isnan([found["helps"], found["mean_over_both"], found["every_seed_over_untuned"]]).all()
    assert found["pairs"] == 12 and 0 <= found["every_seed_over_zero_shot"] <= found["mean_over_zero_shot"] <= 1


def test_nothing_measured_has_no_share():
    found = helping(collect(transfer_table(3).assign(score=np.nan), tasks_table(3))[0])
    assert found["pairs"] == 0 and np.isnan(found["helps"])
