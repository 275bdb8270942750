"""Zero-shot scores beside those of others: who is off by more than three points, and old tables that know nothing."""

import json

import numpy as np
import pandas as pd
import pytest

from promptatlas.analysis import statistics
from promptatlas.analysis.statistics.checks import zero_shot_check
from synthetic_study import elevater_study, similarity_table, tasks_table, transfer_table


def tasks(**columns) -> pd.DataFrame:
    return pd.DataFrame({"task": ["a", "b", "c"]} | columns)


MEASURED = pd.Series({"a": 0.53, "b": 0.5301, "c": 0.40})


def test_more_than_three_points_either_way_is_a_warning_and_three_are_not():
    rows = zero_shot_check(tasks(zero_shot_expected=[0.50, 0.50, 0.45]), MEASURED)
    assert [row["difference_points"] for row in rows] == pytest.approx([3.0, 3.01, -5.0])
    assert [row["warning"] for row in rows] == [False, True, True]


def test_unknown_expectation_is_no_warning_and_no_reference_is_empty():
    given = tasks(zero_shot_expected=[0.9, np.nan, None], zero_shot_reference=["CLIP_benchmark", None, ""])
    rows = zero_shot_check(given, MEASURED)
    assert [row["warning"] for row in rows] == [True, False, False]
    assert [row["reference"] for row in rows] == ["CLIP_benchmark", "", ""]
    assert np.isnan([rows[1]["expected"], rows[1]["difference_points"]]).all()


def test_task_that_was_not_measured_is_no_warning():
    rows = zero_shot_check(tasks(zero_shot_expected=[0.5, 0.5, 0.5]), MEASURED.drop("b"))
    assert np.isnan(rows[1]["measured"]) and not rows[1]["warning"]


def test_linear_probe_is_the_mean_over_its_seeds():
    baselines = pd.DataFrame(
        {
            "method": ["linear_probe", "linear_probe", "zero_shot", "chance"],
            "target": ["a", "a", "a", "b"],
            "score": [0.6, 0.8, 0.1, 0.2],
        }
    )
    rows = zero_shot_check(tasks(), MEASURED, baselines)
    assert rows[0]["linear_probe"] == pytest.approx(0.7) and np.isnan(rows[1]["linear_probe"])


def test_tables_without_the_new_columns_give_the_measured_scores_alone():
    for row in zero_shot_check(tasks(), MEASURED):
        assert row["measured"] == MEASURED[row["task"]] and row["reference"] == "" and not row["warning"]
        assert np.isnan([row["expected"], row["linear_probe"]]).all()


def test_summary_has_a_row_per_task_and_old_calls_still_work():
    plain = transfer_table(5), similarity_table(5)
    found = statistics.analyse(*plain, tasks_table(5), permutations=9)
    old = statistics.summary(*plain, found, tasks_table(5))
    assert [row["expected"] for row in old["zero_shot_check"]] == [None] * 5 and old["published"] is None
    study = elevater_study(6)
    tables = study["transfer"], study["similarity"]
    found = statistics.analyse(*tables, study["tasks"], permutations=9)
    new = statistics.summary(*tables, found, study["tasks"], baselines=study["baselines"], permutations=9)
    json.dumps(new, allow_nan=False)
    assert [row["task"] for row in new["zero_shot_check"]] == list(study["tasks"]["task"])
    assert [row["task"] for row in new["zero_shot_check"] if row["warning"]] == ["cifar-100"]
    probe = [row["linear_probe"] - row["measured"] for row in new["zero_shot_check"]]
    assert probe == pytest.approx([0.12] * 6)
    assert [entry["method"] for entry in new["published"]["by_method"]] == ["coop", "vpt"]
