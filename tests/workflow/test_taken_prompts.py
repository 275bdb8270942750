"""The prompts of a finished study, taken away by hand, answer as the study measured them."""

import json

import numpy as np
import pytest

import promptatlas
from promptatlas import card
from promptatlas.tasks.prepared import PreparedTask


@pytest.mark.parametrize("method", ["coop", "vpt"])
def test_a_prompt_loaded_by_hand_has_the_score_of_its_cells(method, finished):
    path = finished.results / "prompts" / method / "seed1" / "shapes.safetensors"
    prompt = promptatlas.load_prompt(path)
    for target in ("shapes", "colors"):
        task = PreparedTask.open(finished.results / "tasks" / target)
        classifier = prompt.classifier(None if target == "shapes" else task.task.class_names)
        assert classifier.class_names == task.task.class_names
        right = classifier(np.asarray(task.images("test"))).logits.argmax(1) == np.asarray(task.labels("test"))
        cell = json.loads((finished.results / "cells" / "frozen" / method / "seed1" / target / "shapes.json").read_text())
        assert np.mean(right) == pytest.approx(cell["score"], abs=0.005)


def test_a_studys_prompt_says_what_it_was_learned_with(finished, monkeypatch):
    monkeypatch.chdir(finished.folder)
    known = promptatlas.load_prompt(finished.results / "prompts" / "coop" / "seed1" / "shapes.safetensors").card
    assert known.keys() == {*card.FIELDS} and known["origin"] is None
    assert (known["method"], known["task"], known["seed"], known["resize"]) == ("coop", "shapes", 1, "squash")
    assert known["settings"]["epochs"] == 2 and known["backbone"]["name"] == "mini"
    drawn = json.loads((finished.results / "draws" / "shots2-seed1" / "shapes.json").read_text())
    sizes = {"shots": 2, "train": len(drawn["train"]), "validation": len(drawn["validation"])}
    assert known["draw"] == {"sha256": drawn["sha256"]} | sizes
    rows = promptatlas.load_prompt(finished.results / "prompts" / "coop" / "seed1" / "shapes.safetensors").learned.history
    assert known["validation"]["score"] == rows[known["validation"]["epoch"] - 1]["validation_score"]
