"""A method from outside the package takes one class and one `register`: it is tuned, saved, transferred and continued."""

import sys

import numpy as np
import pytest
import torch
from test_tuning import SMALL, draws_of, write_task
from torch import nn

from promptatlas import methods, transfer, tuning
from promptatlas.encoding import encode_task
from promptatlas.errors import UserError
from promptatlas.learned import LearnedPrompt
from promptatlas.methods.settings import _METHODS


class Toy(nn.Module):
    """One context vector at an angle: a direction (d_text,) and its length."""

    text, visual = True, False

    def __init__(self, architecture, settings, generator):
        super().__init__()
        self.direction = nn.Parameter(torch.randn(architecture.text_width, generator=generator))
        self.length = nn.Parameter(torch.tensor(settings["length"]))

    def forward(self):
        return (self.length * nn.functional.normalize(self.direction, dim=0)).view(1, 1, -1), None


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(sys.modules, "somewhere_else", sys.modules[__name__])
    methods.register("toy", "somewhere_else:Toy", length=0.5, position="front")
    yield "toy"
    del _METHODS["toy"]


def test_a_registered_method_runs_through_both_protocols(tiny_backbone, tmp_path, toy):
    task = write_task(tmp_path / "task")
    complete = methods.settings(toy, SMALL | {"length": 0.3})
    first, second = learned = tuning.tune_task(tiny_backbone, toy, complete, task, draws_of(task, [1, 2]), [1, 2])
    assert first.history[-1]["loss"] < first.history[0]["loss"] and first.fingerprint() != second.fingerprint()
    assert first.prompts.text.shape == (1, 1, 1, 64) and first.prompts.position == "front"
    first.save(tmp_path / "toy.safetensors", {})
    back, _ = LearnedPrompt.load(tmp_path / "toy.safetensors")
    encoded = encode_task(tiny_backbone, task)
    frozen = transfer.evaluate(tiny_backbone, task, encoded, [back.prompts, second.prompts])
    assert frozen[0].score == transfer.evaluate(tiny_backbone, task, encoded, [first.prompts])[0].score
    (continued,) = tuning.tune_task(tiny_backbone, toy, complete, task, draws_of(task, [1]), [1], [back])
    assert continued.history[0]["loss"] < first.history[0]["loss"]
    assert np.isfinite([one.score for one in frozen]).all() and len(learned) == 2


def test_its_settings_are_checked_like_any_others(toy):
    assert methods.settings(toy)["epochs"] == 200 and toy in methods.names()
    with pytest.raises(UserError, match="settings.toy.lenght: unknown setting; did you mean 'length'"):
        methods.settings(toy, {"lenght": 1.0})
