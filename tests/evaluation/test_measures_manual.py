"""docs/measures.md has a row for everything that is registered, with what the registries say of it."""

from pathlib import Path

import pytest

from promptatlas.evaluation import similarity
from promptatlas.evaluation.estimates import ESTIMATORS

MANUAL = (Path(__file__).parents[2] / "docs" / "measures.md").read_text()
ROWS = {
    line.split("`")[1]: [cell.strip().replace("\\\0", "|") for cell in line.replace("\\|", "\\\0").split("|")[1:-1]]
    for line in MANUAL.splitlines()
    if line.startswith("| `")
}


def test_there_is_a_row_for_each_and_no_other():
    assert [*ROWS] == [*similarity.registered(), *ESTIMATORS]


@pytest.mark.parametrize("name", similarity.registered())
def test_a_measure_is_as_the_manual_says(name):
    _, description, formula, directed, needs, least, _, _ = ROWS[name]
    one = similarity.lookup(name)
    assert (description, directed) == (one.description, "yes" if one.directed else "no") and formula
    assert needs == ", ".join(one.needs) or (needs == "names" and not one.needs)
    assert least == (f"{one.images} images" if one.images > 1 else "")


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_is_as_the_manual_says(name):
    _, description, formula, needs, least, several, source = ROWS[name]
    one = ESTIMATORS[name]
    asked = ((one.images, "images"), (one.classes, "classes"), (one.per_class, "images of a class"))
    assert (description, formula, needs, source) == (one.description, one.formula, ", ".join(one.needs), one.source)
    assert least == ", ".join(f"{count} {what}" for count, what in asked if count > 1)
    assert several == ("yes" if one.multilabel else "no")


def test_the_standard_ones_are_those_that_it_names():
    standard = [one.name for one in similarity.chosen(similarity.STANDARD)]
    assert "`similarity: standard` (the default) is `{}`, `{}` and, of drawn tasks, `{}`.".format(*standard) in MANUAL
