"""Deterministic mode reaches every job, changes no description of a study, and no method asks for what it forbids."""

import pytest
import torch

from promptatlas.backbone.untrained import untrained
from promptatlas.methods import names, settings
from promptatlas.plan.microbenchmarks import MadeUp, microbenchmarks
from promptatlas.runs import devices, session
from promptatlas.runs.variables import DETERMINISTIC
from promptatlas.study.sizes import Size, size
from promptatlas.study.study import Study
from promptatlas.training import single_task
from tiers import mostly_slow

TASKS = ["shapes", "tissue", "letters"]
EVERY = [*names("prompt"), *names("shared"), *names("adapter")]


@pytest.fixture
def deterministic(monkeypatch):
    monkeypatch.setenv(DETERMINISTIC, "1")
    threads = torch.get_num_threads()
    devices.chosen("cpu", 1)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_configuration_reaches_the_jobs_and_makes_nothing_stale(wanted, tmp_path, monkeypatch):
    for name in (DETERMINISTIC, session.FORCED, "PYTHONPATH", "CUBLAS_WORKSPACE_CONFIG"):
        monkeypatch.setenv(name, "")
    study = Study({"results": str(tmp_path), "deterministic": wanted})
    session.begin(study, [], False)
    devices.chosen("cpu", torch.get_num_threads())
    assert torch.are_deterministic_algorithms_enabled() is wanted
    torch.use_deterministic_algorithms(False)
    assert study.description == Study({"results": str(tmp_path)}).description


def test_every_method_works_in_deterministic_mode(deterministic):
    study, model = Study({"tasks": TASKS, "methods": EVERY}), untrained("mini", "mini", "cpu")
    kinds = microbenchmarks(study, model, {task: size(study, task) for task in TASKS})
    tried = [ready()() for own in kinds.values() for _, ready in own[:1]]
    assert len(tried) == len(kinds)


@pytest.mark.parametrize("method", mostly_slow(["coop", "maple"], ["coop"]))
def test_the_same_prompts_come_out_bit_by_bit(deterministic, method):
    model, own = untrained("mini", "mini", "cpu"), settings(method, {"epochs": 2, "batch_size": 4})
    with torch.no_grad():
        for tensor in model.text.parameters():
            tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)) * 0.05)
    task = MadeUp(Size((2,) * 3, 12, 6, 0, 0), model.architecture.image_size)
    one, other = (single_task.tune_task(model, method, own, task, [task.draw()] * 2, [1, 2]) for _ in range(2))
    assert [prompt.fingerprint() for prompt in one] == [prompt.fingerprint() for prompt in other]
    assert one[0].fingerprint() != one[1].fingerprint()
