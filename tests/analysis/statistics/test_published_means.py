"""Few-shot means that others printed: whole as their sources give them, shown only beside the same, marked with what differs."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib import pyplot as plt

from promptatlas.analysis import published
from promptatlas.analysis.statistics import few_shot, shots
from promptatlas.report.figures.shots import curves
from promptatlas.report.page import few_shot as page
from promptatlas.runs.tables import methods_table
from promptatlas.study.study import Study
from promptatlas.tasks.catalogue import names
from synthetic_study import baselines_table, tasks_table, transfer_table

STUDIES = Path(__file__).parents[3] / "workflow" / "studies"
SHOTS = [1, 2, 4, 8, 16]
RELEASED = {"preset": "released", "precision": "float16"}
SCORES = "scores by class on Caltech-101, Aircraft, Flowers and Pets, splits not released"


def ready(name: str, **changes) -> Study:
    return Study(yaml.safe_load((STUDIES / f"{name}.yaml").read_text()) | changes)


def means(study: Study) -> dict[str, dict]:
    found = few_shot.published_means(study.design, study.backbone.weights, study.shots, study.config)
    return {one["form"]: one for one in found}


@pytest.mark.parametrize(("tasks", "average"), [("general-10", 67.12), ("plant-6", 67.68), ("fashion-20", 62.75)])
def test_softcpts_numbers_have_the_average_that_its_authors_print(tasks: str, average: float) -> None:
    table = published.few_shot()
    own = table[(table["tasks"] == tasks) & (table["form"] == "SoftCPT-NATA")]
    assert sorted(own["shots"]) == SHOTS and 100 * own["score"].mean() == pytest.approx(average, abs=6e-3)


@pytest.mark.parametrize("count", SHOTS)
def test_the_ready_studies_find_the_numbers_of_their_papers_at_every_number_of_images(count: int) -> None:
    found = means(ready("few_shot", shots=count, precision="float16"))
    by_others = {"CLIP-Adapter", "LP++", "KgCoOp", "ProGrad", "TCP"}
    assert set(found) == {"CoOp", "UPT", "Tip-Adapter-F", "Prompt-Adapter-F"} | by_others
    assert {found[form]["note"] for form in by_others} == {"settings not known; measured by others than its authors"}
    assert found["CoOp"]["note"] == "settings not known" and "test images" in found["Prompt-Adapter-F"]["note"]
    assert found["Prompt-Adapter-F"]["note"].startswith("cached images cropped and flipped; ")
    softcpt = means(ready("softcpt", shots=count, **RELEASED))
    assert {"ZS-CLIP", "SoftCPT-NATA"} <= set(softcpt)
    assert softcpt["SoftCPT-NATA"]["note"].startswith("training images cropped and flipped; ") and softcpt["ZS-CLIP"]["note"] == SCORES


def test_numbers_are_those_of_the_same_number_of_images_and_form() -> None:
    assert means(ready("few_shot", shots=4))["Prompt-Adapter-F"]["score"] == pytest.approx(0.7617)
    assert means(ready("few_shot", shots=4))["LP++"]["score"] == pytest.approx(0.7577)
    eight = means(ready("few_shot", shots=8))
    assert [eight[form]["score"] for form in ("KgCoOp", "ProGrad", "TCP")] == pytest.approx([0.7582, 0.7793, 0.7839])
    found = means(ready("softcpt"))
    assert found["SoftCPT-NATA"]["score"] == pytest.approx(0.7417)
    assert found["SoftCPT-NATS"]["note"].startswith("other settings: last_batch dropped, precision float16, task_context specific; ")
    assert means(ready("softcpt", **RELEASED))["SoftCPT-NATS"]["note"].startswith("other settings: task_context specific; ")
    assert means(ready("softcpt", settings={}, **RELEASED))["SoftCPT-NATA"]["note"].startswith("other settings: steps as_released; ")
    assert found["ZS-CLIP"]["note"] == f"other settings: precision float16; {SCORES}"


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": names("coop")[:5]},
        {"benchmark": "elevater"},
        {"shots": 3},
        {"backbone": {"model": "ViT-B-32-quickgelu", "pretrained": "openai"}},
        {"design": "base_to_new", "methods": ["coop"], "settings": {}},
        {"data": {"coop-dtd": {"classes": ["banded", "blotchy"]}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_nothing_of_few_shot_learning_is_shown_beside_anything_else(changes: dict) -> None:
    assert not {"CoOp", "UPT", "Prompt-Adapter-F"} & set(means(ready("few_shot", **changes)))


PRINTED = [
    {"method": "coop", "form": "CoOp-<b>", "score": 0.7191, "reference": "Somebody <2024>", "note": "other settings: context 4"},
    {"method": "softcpt", "form": "SoftCPT", "score": 0.7299, "reference": "Somebody <2024>", "note": ""},
]


def a_summary(failed: bool = False) -> tuple[dict, pd.DataFrame]:
    tasks, transfer = tasks_table(5), transfer_table(5).assign(failed="")
    if failed:
        own = (transfer["source"] == "task_01") & (transfer["target"] == "task_01") & (transfer["method"] == "coop")
        transfer.loc[own, ["score", "failed"]] = [np.nan, "no"]
    baselines = baselines_table(tasks).assign(failed="")
    return few_shot.summary(transfer, tasks, baselines, methods_table(transfer, baselines), None, (), PRINTED), tasks


def test_the_page_shows_what_was_published_of_measured_methods_and_what_differs(tmp_path) -> None:
    summary, tasks = a_summary()
    page.write(tasks, {}, summary, tmp_path / "report.html")
    section = re.search(r'<section id="published".*?</section>', (tmp_path / "report.html").read_text(), re.S)[0]
    measured = {one["method"]: one["mean"] for one in summary["comparison"]["methods"]}
    (row,) = re.findall(r"<tr>(<td.*?)</tr>", section)
    cells = re.findall(r">([^<>]*)</td>", row)
    assert cells == [
        "CoOp",
        f"{100 * measured['coop']:.1f}",
        "71.91",
        "CoOp-&lt;b&gt;",
        "Somebody &lt;2024&gt;",
        "other settings: context 4",
    ]
    assert "never enter a measured number" in section


def test_means_that_leave_a_task_out_stand_beside_nothing(tmp_path) -> None:
    summary, tasks = a_summary(failed=True)
    assert summary["comparison"]["tasks_left_out"] == ["task_01"] and summary["published_means"] == []
    page.write(tasks, {}, summary, tmp_path / "report.html")
    assert 'id="published"' not in (tmp_path / "report.html").read_text()


def test_compared_studies_have_it_in_table_and_figure(tmp_path) -> None:
    for count, printed in ((4, 0.70), (16, 0.72)):
        summary, _ = a_summary()
        summary["shots"], summary["published_means"][0]["score"] = [count], printed
        (tmp_path / str(count)).mkdir()
        (tmp_path / str(count) / "summary.json").write_text(json.dumps(summary))
    table = shots.table([tmp_path / "16", tmp_path / "4"])
    rows = table[table["origin"] == "published"].set_index("shots")
    assert rows["mean"].to_dict() == {4: 0.70, 16: 0.72} and set(rows["base"]) == {""} and rows["difference"].isna().all()
    assert set(rows["note"]) == {"other settings: context 4"} and set(table.loc[table["origin"] == "measured", "reference"]) == {""}
    assert set(shots.baselines(table)["origin"]) == {"measured"}
    zero_shot = next(one["mean"] for one in summary["comparison"]["methods"] if one["method"] == "zero_shot")
    figure = curves(table, 7.2)
    (line,) = (one for one in figure.axes[0].lines if "published" in str(one.get_label()))
    assert line.get_label() == "CoOp-<b>, published by Somebody <2024>; not quite the same (shots.csv)"
    assert line.get_xydata() == pytest.approx(np.array([[4, 100 * (0.70 - zero_shot)], [16, 100 * (0.72 - zero_shot)]]))
    assert figure.axes[0].get_legend().get_texts()[-1].get_text() == line.get_label()
    own = next(one for one in figure.axes[0].containers if one.get_label() == "CoOp")
    assert line.get_color() == own[0].get_color()
    plt.close(figure)
