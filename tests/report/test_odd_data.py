"""What is odd about the data of a task stands on the pages where the tasks are listed."""

import json
import re

from browser import CONFIG, browse, needs_browser
from promptatlas.analysis import statistics
from promptatlas.analysis.statistics import few_shot as comparison
from promptatlas.report import page
from promptatlas.report.page import few_shot
from promptatlas.runs.tables import methods_table
from synthetic_study import baselines_table, cells, similarity_table, tasks_table, transfer_table, tuning_table

NOTE = "6 of 12 test images are training images too; 2 files are no images: `a<b>.txt`, 5 % of all"


def odd_tasks(n=5):
    tasks = tasks_table(n).assign(notes="")
    tasks.loc[1, "notes"] = NOTE
    return tasks


def matrix_page(tmp_path, tasks):
    n = len(tasks)
    transfer, similarity = transfer_table(n), similarity_table(n)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(n)}
    summary = statistics.summary(transfer, similarity, statistics.analyse(transfer, similarity, tasks, permutations=99), tasks)
    page.write(tables, CONFIG, cells(transfer, tasks), tmp_path / "report.html", summary)
    return tmp_path / "report.html"


def test_a_note_stands_on_the_page_of_the_matrix(tmp_path):
    document = matrix_page(tmp_path, odd_tasks()).read_text()
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', document, re.S)[1])
    assert [one["notes"] for one in data["tasks"]] == ["", NOTE, "", "", ""]
    assert '<div id="odd"' in document and 'fill(\n    "odd"' in document


@needs_browser
def test_what_is_to_be_typed_is_code_on_the_page(tmp_path):
    drawn = browse(matrix_page(tmp_path, odd_tasks()), tmp_path)
    assert "2 files are no images: <code>a&lt;b&gt;.txt</code>, 5\u202f% of all." in drawn


@needs_browser
def test_many_tasks_that_need_a_look_are_cut_with_one_and(tmp_path):
    drawn = browse(matrix_page(tmp_path, tasks_table(7).assign(notes="x")), tmp_path)
    assert "Data that need a look: Task 0, Task 1, Task 2, Task 3, Task 4 and 2 more. " in drawn


def test_a_note_stands_on_a_page_without_scripts(tmp_path):
    tasks, transfer, baselines = odd_tasks(), transfer_table(5).assign(failed=""), baselines_table(tasks_table(5)).assign(failed="")
    summary = comparison.summary(transfer, tasks, baselines, methods_table(transfer, baselines), None, ())
    few_shot.write(tasks, {"study": "synthetic"}, summary, tmp_path / "report.html")
    document = (tmp_path / "report.html").read_text()
    told = "2 files are no images: <code>a&lt;b&gt;.txt</code>, 5\u202f% of all."
    assert f"<strong>Task 1</strong>: 6 of 12 test images are training images too; {told}" in document
    assert "<strong>Task 2</strong>" not in document


def test_scores_that_do_not_beat_the_largest_class_are_marked(tmp_path):
    """Task 1's largest class takes all there is to have, the others' next to nothing."""
    tasks = tasks_table(5).assign(largest_class=[0.01, 1.0, 0.01, 0.01, 0.01])
    transfer, baselines = transfer_table(5).assign(failed=""), baselines_table(tasks).assign(failed="")
    summary = comparison.summary(transfer, tasks, baselines, methods_table(transfer, baselines), None, ())
    few_shot.write(tasks, {"study": "synthetic"}, summary, tmp_path / "report.html")
    document = (tmp_path / "report.html").read_text()
    marked = re.findall(r"<tr><td>(Task \d)</td>(?:(?!</tr>).)*\u25bd", document)
    assert marked == ["Task 1"] and document.count("\u25bd") == len(summary["comparison"]["methods"])
    assert (
        "No prompt scores more than always answering the largest class does: Task 1 (100.0\u202f%; <code>metric: mean_per_class" in document
    )
