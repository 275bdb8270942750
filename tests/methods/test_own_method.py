"""A method from outside the package takes one class and one `register`: it is tuned, saved, transferred and continued, and
a study has it from its configuration to its cells. So does one that is trained on several tasks at once."""

import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from promptatlas import methods
from promptatlas.backbone.encode import encode_task
from promptatlas.base.errors import UserError
from promptatlas.evaluation import evaluate
from promptatlas.methods.registry import METHODS
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.runs import engine, prepare
from promptatlas.study.costs import MethodCosts
from promptatlas.study.sizes import size
from promptatlas.study.study import Study
from promptatlas.training import single_task
from promptatlas.training.shared_learner import tune_shared
from shared_tasks import tasks_of
from small_tasks import SMALL, draws_of, write_task
from twins import TINY, twin


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
    METHODS.remove("toy")


def test_a_registered_method_runs_through_both_protocols(tiny_backbone, tmp_path, toy):
    task = write_task(tmp_path / "task")
    complete = methods.settings(toy, SMALL | {"length": 0.3})
    first, second = trained = single_task.tune_task(tiny_backbone, toy, complete, task, draws_of(task, [1, 2]), [1, 2])
    assert first.history[-1]["loss"] < first.history[0]["loss"] and first.fingerprint() != second.fingerprint()
    assert first.prompts.text.shape == (1, 1, 1, 64) and first.prompts.position == "front"
    first.save(tmp_path / "toy.safetensors", {})
    back, _ = TunedPrompt.load(tmp_path / "toy.safetensors")
    encoded = encode_task(tiny_backbone, task)
    frozen = evaluate.evaluate(tiny_backbone, task, encoded, [back.prompts, second.prompts])
    assert frozen[0].score == evaluate.evaluate(tiny_backbone, task, encoded, [first.prompts])[0].score
    (continued,) = single_task.tune_task(tiny_backbone, toy, complete, task, draws_of(task, [1]), [1], [back])
    assert continued.history[0]["loss"] < first.history[0]["loss"]
    assert np.isfinite([one.score for one in frozen]).all() and len(trained) == 2


def test_its_settings_are_checked_like_any_others(toy):
    assert methods.settings(toy)["epochs"] == 200 and toy in methods.names()
    with pytest.raises(UserError, match=r"settings\.toy\.lenght: unknown setting; did you mean 'length'"):
        methods.settings(toy, {"lenght": 1.0})


@pytest.mark.slow
def test_a_study_has_it_from_its_configuration_to_its_cells(tmp_path, toy):
    own = {"toy": {"length": 0.3, "epochs": 2}}
    study = Study({
        "study": "tiny", "results": str(tmp_path), "tasks": ["shapes", "colors"], "methods": ["toy"], "settings": own,
        "seeds": [1], "shots": 2, "device": "cpu",
    })  # fmt: skip
    assert study.methods == ("toy",) and study.settings("toy") == methods.settings("toy", own["toy"], "mini")
    assert not MethodCosts.of(study, "toy").by_image and MethodCosts.of(study, "toy").tuning(size(study, "shapes"), 1)
    study.paths.backbone_folder.mkdir(parents=True)
    twin(TINY | {"quick_gelu": False}, study.paths.backbone_folder)
    quiet = lambda *words: None  # noqa: E731
    for name in study.tasks:
        prepare.prepare(study, name, 1, quiet)
    engine.run(study, study.jobs.draw, 1, quiet)
    for job in (*study.jobs.encode, *study.jobs.tune, *study.jobs.transfer):
        engine.run(study, job, 1, quiet)
    trained = {name: TunedPrompt.load(study.paths.prompt("toy", 1, name))[0] for name in study.tasks}
    assert all(one.prompts.text.norm().item() == pytest.approx(abs(one.parameters["length"].item())) for one in trained.values())
    measured = {(cell.source, cell.target): json.loads(study.paths.cell(cell).read_text()) for cell in study.cells}
    assert {source for source, _ in measured} == {*study.tasks, *study.config["calibration"]}
    assert all(record["method"] == "toy" and 0 <= record["score"] <= 1 for record in measured.values())
    with pytest.raises(UserError, match=r"settings\.toy\.length: 'long' must be a number"):
        Study({"methods": ["toy"], "settings": {"toy": {"length": "long"}}})


class Pair(nn.Module):
    """For every task one context vector, which is what all tasks have plus what is its own."""

    per, reads_names, class_aware = "task", False, False

    def __init__(self, architecture, settings, generator, classes):
        super().__init__()
        shape = settings["context"], architecture.text_width
        self.common = nn.Parameter(0.02 * torch.randn(shape, generator=generator))
        self.own = nn.Parameter(0.02 * torch.randn((len(classes), *shape), generator=generator))

    def forward(self, tasks, classes):
        return self.common + self.own[tasks]


@pytest.fixture
def pair(monkeypatch):
    monkeypatch.setitem(sys.modules, "somewhere_else", sys.modules[__name__])
    methods.register("pair", "somewhere_else:Pair", "shared", context=1)
    yield "pair"
    METHODS.remove("pair")


def test_a_registered_method_is_trained_on_several_tasks_at_once(tiny_backbone, pair):
    assert methods.kind(pair) == "shared" and Study({"methods": ["coop", pair]}).shared_methods == (pair,)
    complete = methods.settings(pair, {"epochs": 4, "batch_size": 5, "learning_rate": 0.01})
    trained = tune_shared(tiny_backbone, pair, complete, tasks_of(torch.float32), 1)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"] and trained.parameters["own"].shape == (3, 1, 64)
    for task, context in enumerate(trained.contexts):
        assert torch.equal(context, trained.parameters["common"] + trained.parameters["own"][task])
