"""The untuned prompt is measured on every target of every design, whatever a configuration lists beside the tasks."""

from pathlib import Path

import pytest

from promptatlas.study.configuration import complete, load
from promptatlas.study.study import Study

ROOT = Path(__file__).parents[2]
TASKS = ["shapes", "colors", "letters", "satellite"]


def study(**changes) -> Study:
    return Study(complete(load(ROOT / "config.yaml") | {"tasks": TASKS, "seeds": [1, 2]} | changes))


@pytest.mark.parametrize(
    "about",
    [
        {"design": "matrix"},
        {"design": "few_shot"},
        {"design": "base_to_new"},
        {"design": "cross_dataset", "sources": ["shapes"]},
        {"design": "domain", "sources": ["shapes"]},
        {"design": "matrix", "protocols": ["frozen", "init"]},
    ],
    ids=lambda about: "-".join([about["design"], *about.get("protocols", ())]),
)
@pytest.mark.parametrize("calibration", [["template"], ["scratch", "template"]], ids="-".join)
def test_every_target_has_the_untuned_prompt_for_every_method_and_seed(about, calibration):
    own = study(calibration=calibration, methods=["coop", "vpt"], **about)
    found = {(cell.protocol, cell.method, cell.seed, cell.target) for cell in own.cells if cell.source == "scratch"}
    assert found == {(p, m, s, t) for p in own.protocols for m in ("coop", "vpt") for s in (1, 2) for t in own.tasks}


def test_what_was_measured_without_it_keeps_its_place_and_its_cells():
    before, after = study(calibration=["template"]), study()
    assert set(before.cells) == set(after.cells) and list(before.config["calibration"]) == ["template", "scratch"]


def test_a_study_without_prompts_has_no_untuned_one():
    own = study(design="few_shot", methods=["tip_adapter"], calibration=["template"])
    assert {cell.source for cell in own.cells} == {"template"}
