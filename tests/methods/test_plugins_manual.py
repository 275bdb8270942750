"""docs/plugins.md stays true: its files make a method and an adapter known, and its rules are those that a training follows."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from promptatlas import methods
from promptatlas.base import plugins
from promptatlas.methods import settings
from promptatlas.study.configuration import complete
from promptatlas.training import adapters, own_rules
from promptatlas.training.single_task import tune_task
from small_tasks import SMALL, draws_of, write_task

TEXT = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
BLOCKS = {language: re.findall(rf"```{language}\n(.*?)```", TEXT, re.S) for language in ("python", "yaml", "toml")}
REGISTERED, MODULE, RULES, ADAPTER, FUNCTION = BLOCKS["python"][:5]  # what comes after is tested with measures and metrics


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "angle.py").write_text(REGISTERED)
    (tmp_path / "angle_net.py").write_text(MODULE)
    yield tmp_path
    plugins.load([])


def test_the_method_of_the_manual_is_known_as_it_says(here):
    study = complete(yaml.safe_load(BLOCKS["yaml"][0]))
    assert study["settings"]["angle"]["length"] == 0.3 and settings("angle")["epochs"] == 50
    assert methods.words()["angle"]["title"] == "Angle" and f"[project.entry-points.{plugins.GROUP}]" in BLOCKS["toml"][0]


def test_its_loss_trains_the_method_of_the_manual(here, tiny_backbone):
    (here / "angle_net.py").write_text(
        f"from promptatlas.methods.losses import cross_entropy\n{MODULE}\n{RULES.split('    def combine')[0]}"
    )
    plugins.load(["angle.py"])
    task = write_task(here / "task")
    (ours,) = tune_task(tiny_backbone, "angle", settings("angle", SMALL), task, draws_of(task, [1]), [1])
    assert np.isfinite([row["loss"] for row in ours.history]).all() and torch.isfinite(ours.prompts.text).all()


def test_the_adapter_of_the_manual_draws_class_weights_to_the_images_of_their_class(here):
    (here / "known.py").write_text(ADAPTER)
    (here / "means.py").write_text(FUNCTION)
    plugins.load(["known.py"])
    weights, images = torch.eye(3)[:2], torch.tensor([[3.0, 0.0, 4.0], [0.0, 0.0, 2.0]])
    examples = adapters.Examples(images, torch.tensor([0, 1]))

    def answers(share):
        made = methods.module_class("class_means")(settings("class_means", {"share": share}), 10.0, weights, examples, examples, "accuracy")
        return made.logits(torch.eye(3))

    torch.testing.assert_close(answers(0.0), 10 * weights.T)
    torch.testing.assert_close(answers(1.0), torch.tensor([[6.0, 0.0], [0.0, 0.0], [8.0, 10.0]]))
    half = 10 * np.array([[0.8, 0.0], [0.0, 0.5], [0.4, 0.5]]) / np.array([0.8, 0.5]) / np.sqrt([1.25, 2.0])
    np.testing.assert_allclose(answers(0.5).numpy(), half, rtol=1e-6)
    assert methods.kind("class_means") == "adapter" and methods.words()["class_means"]["title"] == "class means"


def test_it_names_every_rule_with_its_arguments():
    named = dict(re.findall(r"def (\w+)\(self, ([\w, ]+)\):", RULES))
    assert {*named} == {*own_rules.RULES}
    for rule, arguments in named.items():
        told = re.search(rf"\* `{rule}\(([^)]*)\)`", own_rules.__doc__)
        assert told and (" ".join(told[1].split()) == arguments or told[1].startswith("*"))
