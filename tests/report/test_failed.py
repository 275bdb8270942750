"""What could not be computed is seen in the reports without scripts, with the reason, and takes nothing else away."""

import re

import numpy as np
import pytest

from promptatlas.analysis.statistics import few_shot as comparison
from promptatlas.analysis.statistics.failed import failed_by_reason
from promptatlas.report.page import few_shot
from promptatlas.runs.tables import methods_table
from synthetic_study import baselines_table, tasks_table, transfer_table

WHY = "source prompt failed: the loss <is> not a number"


def tables(failed: dict[tuple[str, str], tuple[int, ...]]):
    """Two methods on their own tasks, and the seeds of (method, task) that failed."""
    tasks, transfer = tasks_table(5), transfer_table(5).assign(failed="")
    transfer = transfer[(transfer["source"] == transfer["target"]) | transfer["source"].isin(["scratch", "template"])]
    for (method, task), seeds in failed.items():
        there = (transfer["method"] == method) & (transfer["source"] == task) & transfer["seed"].isin(seeds)
        transfer.loc[there, ["score", "failed"]] = [np.nan, WHY]
    return tasks, transfer, baselines_table(tasks).assign(failed="")


def page(tmp_path, failed, **config) -> tuple[dict, str]:
    tasks, transfer, baselines = tables(failed)
    summary = comparison.summary(transfer, tasks, baselines, methods_table(transfer, baselines), None, ())
    few_shot.write(tasks, {"study": "synthetic"} | config, summary, tmp_path / "report.html")
    return summary, (tmp_path / "report.html").read_text()


def section(document: str, name: str) -> str:
    return re.search(rf'<section id="{name}".*?</section>', document, re.S)[0]


def row(document: str, title: str) -> list[str]:
    """The cells of the row of that title, without marks."""
    cells = re.search(rf"<tr><td>{title}</td>(.*?)</tr>", document)[1]
    return re.findall(r">([^<>]+)<", cells)


def test_holes_are_told_by_reason_with_what_they_keep_from_being_computed():
    _, transfer, baselines = tables({("coop", "task_01"): (1, 2, 3), ("vpt", "task_02"): (2,)})
    (one,) = failed_by_reason(transfer, baselines)
    assert one["reason"] == WHY and one["results"] == [
        {"method": "coop", "prompt": "", "task": "task_01", "seeds": [1, 2, 3]},
        {"method": "vpt", "prompt": "", "task": "task_02", "seeds": [2]},
    ]


def test_a_task_with_a_hole_stands_in_the_table_with_all_other_scores(tmp_path):
    summary, document = page(tmp_path, {("coop", "task_01"): (1, 2, 3)})
    whole, _ = page(tmp_path, {})
    scores, order = section(document, "scores"), [one["method"] for one in summary["comparison"]["methods"]]
    before = {one["method"]: one["by_task"]["task_01"] for one in whole["comparison"]["methods"]}
    assert row(scores, "Task 1") == ["failed" if one == "coop" else f"{100 * before[one]:.1f}" for one in order]
    assert scores.count('class="missing"') == 1 and "The last task stands in no mean" in scores
    assert summary["comparison"]["tasks_left_out"] == ["task_01"] and "3 scores are missing" in document


def test_the_page_says_why(tmp_path):
    _, document = page(tmp_path, {("coop", "task_01"): (1, 2, 3), ("vpt", "task_02"): (2,)})
    told = section(document, "holes")
    assert "the loss &lt;is&gt; not a number" in told and "<is>" not in document
    assert "CoOp: Task 1 (seed 1, 2, 3)" in told and "VPT: Task 2 (seed 2)" in told
    assert 'href="#holes"' in document


def lead(document: str) -> str:
    return re.search(r'<p class="lead">(.*?)</p>', document, re.S)[1]


def test_counts_are_of_what_was_measured(tmp_path):
    """A method that failed everywhere, a task and a seed of which nothing is known."""
    lost = {("coop", f"task_0{n}"): (1, 2, 3) for n in range(5)} | {("vpt", f"task_0{n}"): (3,) for n in range(5)}
    summary, document = page(tmp_path, lost)
    measured = 2 * 5 + 3 * 5 + 5  # vpt, the probe, zero-shot
    assert summary["n_scores"] == measured and summary["n_missing_scores"] == 20
    assert lead(document).startswith("3 of 4 methods on 5 tasks with none, 16 images per class, 3 seeds: 30 scores. 20 scores are missing.")
    tasks, transfer, baselines = tables({})
    for table in (transfer, baselines):
        table.loc[(table["target"] == "task_03") | (table["seed"] == 2), "score"] = np.nan
    summary = comparison.summary(transfer, tasks, baselines, methods_table(transfer, baselines), None, ())
    few_shot.write(tasks, {"study": "synthetic"}, summary, tmp_path / "report.html")
    assert lead((tmp_path / "report.html").read_text()).startswith(
        "4 methods on 4 of 5 tasks with none, 16 images per class, 2 seeds: 28 scores."
    )


def test_a_reduced_precision_is_told_and_the_usual_one_is_not(tmp_path):
    told, usual = (lead(page(tmp_path, {}, **config)[1]) for config in ({"precision": "float16"}, {}))
    assert told == f"{usual} Computed in float16." and "omputed" not in usual


def test_a_difference_tells_of_how_many_tasks_and_pairs_it_is(tmp_path):
    _, document = page(tmp_path, {("vpt", "task_02"): (2,)})
    assert "5 tasks, 14 pairs" in section(document, "pairs") and "5 tasks, 15 pairs" in section(document, "pairs")


def test_a_method_without_any_score_is_named_too(tmp_path):
    summary, document = page(tmp_path, {("coop", f"task_0{n}"): (1, 2, 3) for n in range(5)})
    assert row(section(document, "gains"), "CoOp") == ["failed"] and summary["comparison"]["n_tasks"] == 5


@pytest.mark.parametrize("failed", [{}, {("coop", "task_01"): (1,)}])
def test_a_page_tells_of_holes_only_if_there_are_any(tmp_path, failed):
    _, document = page(tmp_path, failed)
    assert ('id="holes"' in document) == bool(failed) and 'class="missing"' not in document
