"""`sources: all`: the prompts of all tasks but one's own are tried on one's own, and nothing else is measured."""

import pytest

from promptatlas.base.errors import UserError
from promptatlas.study.designs import DESIGNS
from promptatlas.study.protocols import CALIBRATION
from promptatlas.study.study import Study

OWN = {"study": "mine", "data": {"roses": {"folder": "roses"}}, "sources": "all", "methods": ["coop"], "seeds": [1]}


@pytest.mark.parametrize("design", ["cross_dataset", "domain"])
def test_one_task_of_ones_own_is_the_only_target(design):
    study = Study(OWN | {"design": design})
    assert len(study.learners) == 20 and "roses" not in study.learners and study.tasks == (*study.learners, "roses")
    tried = [(cell.source, cell.target) for cell in study.cells if cell.source not in CALIBRATION]
    assert tried == [(source, "roses") for source in study.learners]
    assert study.shots_of("roses") == 0 and study.shots_of("shapes") == 16


def test_sources_that_are_listed_are_tried_on_all_as_before():
    study = Study(OWN | {"design": "cross_dataset", "sources": ["shapes"], "tasks": ["shapes", "colors", "roses"]})
    tried = [(cell.source, cell.target) for cell in study.cells if cell.source not in CALIBRATION]
    assert tried == [("shapes", "shapes"), ("shapes", "colors"), ("shapes", "roses")]


@pytest.mark.parametrize(
    "given",
    [{"benchmark": "own", "data": {"roses": {"folder": "r"}, "tulips": {"folder": "t"}}}, {"data": {}, "tasks": ["shapes", "colors"]}],
)
def test_there_must_be_tasks_of_both_kinds(given):
    with pytest.raises(UserError, match=r"`sources: all` are the tasks that `data` does not describe.* the study needs some of each"):
        Study(OWN | {"design": "cross_dataset"} | given)


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ("every", "`sources` must be `all` or a list of different names, not 'every'"),
        (["shapes", "shapes"], "`sources` must be `all` or a list"),
    ],
)
def test_what_is_no_sources_is_told_with_what_may_be(sources, words):
    with pytest.raises(UserError, match=words):
        Study(OWN | {"design": "cross_dataset", "sources": sources})


def test_designs_that_take_no_sources_say_so():
    assert [name for name, one in DESIGNS.items() if one.takes_sources] == ["cross_dataset", "domain"]
    with pytest.raises(UserError, match="`sources` is for"):
        Study(OWN)
