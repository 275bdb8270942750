"""The optimisers against their equations and against torch's own classes, to the bit: alone and in the loop that tunes."""

import subprocess
import sys

import pytest
import torch

from promptatlas.methods import settings
from promptatlas.training import schedule, single_task
from promptatlas.training.optimisers import SGD, Adam, AdamW
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow


class Written:
    """The sums of an optimiser, written out; state is kept by parameter."""

    def __init__(self, parameters, rate, decay, last=None):
        self.parameters, self.rate, self.decay, self.last = parameters, rate, decay, last
        self.states = [{} for _ in parameters]

    def zero_grad(self):
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self):
        for state, parameter in zip(self.states, self.parameters, strict=True):
            if parameter.grad is not None:
                self.change(state, parameter, parameter.grad)


class WrittenSGD(Written):
    def change(self, state, p, gradient):
        gradient = gradient.add(p, alpha=self.decay)
        state["u"] = state["u"].mul(self.last).add(gradient) if state else gradient
        p.add_(state["u"], alpha=-self.rate)


class WrittenAdamW(Written):
    def change(self, state, p, gradient):
        m, v, t = state.get("m", torch.zeros_like(p)), state.get("v", torch.zeros_like(p)), state.get("t", 0) + 1
        m, v = m.lerp(gradient, 1 - 0.9), v.mul(0.999).addcmul(gradient, gradient, value=1 - 0.999)
        p.mul_(1 - self.rate * self.decay)
        scale = v.sqrt().div((1 - 0.999**t) ** 0.5).add(self.last or 1e-8)
        p.addcdiv_(m, scale, value=-self.rate / (1 - 0.9**t))
        state.update(m=m, v=v, t=t)


class WrittenAdam(Written):
    def change(self, state, p, gradient):
        m, v, t = state.get("m", torch.zeros_like(p)), state.get("v", torch.zeros_like(p)), state.get("t", 0) + 1
        gradient = gradient.add(p, alpha=self.decay)
        m, v = m.lerp(gradient, 1 - 0.9), v.mul(0.999).addcmul(gradient, gradient, value=1 - 0.999)
        p.addcdiv_(m, v.sqrt().div((1 - 0.999**t) ** 0.5).add(self.last or 1e-8), value=-self.rate / (1 - 0.9**t))
        state.update(m=m, v=v, t=t)


# ours, torch's class, the equations; each of a list of parameters
CASES = {
    "sgd": (SGD, lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01), WrittenSGD, (0.1, 0.01, 0.9)),
    "plain sgd": (SGD, lambda p: torch.optim.SGD(p, 0.1), WrittenSGD, (0.1, 0.0, 0.0)),
    "adamw": (AdamW, lambda p: torch.optim.AdamW(p, 0.01, weight_decay=5e-4), WrittenAdamW, (0.01, 5e-4)),
    "adamw, no decay": (AdamW, lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0), WrittenAdamW, (0.01, 0.0)),
    "adamw, Tip-Adapter": (AdamW, lambda p: torch.optim.AdamW(p, 0.01, eps=1e-4, weight_decay=0.01), WrittenAdamW, (0.01, 0.01, 1e-4)),
    "adam": (Adam, lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.01), WrittenAdam, (0.01, 0.01)),
    "adam, TCP": (Adam, lambda p: torch.optim.Adam(p, 0.01, eps=1e-3, weight_decay=5e-4), WrittenAdam, (0.01, 5e-4, 1e-3)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_torchs_and_the_equations_with_changing_rates_and_missing_gradients(case):
    random = torch.Generator().manual_seed(5)
    start = [torch.randn(3, 4, generator=random), torch.randn(5, generator=random)]
    ours, theirs, written = ([value.clone().requires_grad_() for value in start] for _ in range(3))
    kind, torchs, equations, arguments = CASES[case]
    own, reference, third = kind(ours, *arguments), torchs(theirs), equations(written, *arguments)
    for step in range(12):
        own.rate = third.rate = reference.param_groups[0]["lr"] = 0.1 / (1 + step)
        for each in (own, reference, third):
            each.zero_grad()
        for number, same in enumerate(zip(ours, theirs, written, strict=True)):
            if number == 0 or step not in (0, 4):  # the second parameter starts late and misses a step
                gradient = torch.randn(same[0].shape, generator=random)
                for parameter in same:
                    parameter.grad = gradient.clone()
        for each in (own, reference, third):
            each.step()
        for a, b, c in zip(ours, theirs, written, strict=True):
            assert torch.equal(a, b) and torch.equal(a, c)
    assert not torch.equal(ours[0], start[0])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("method", mostly_slow(["coop", "upt"], ["coop"]))
def test_three_prompts_are_tuned_to_the_bit_as_by_the_equations(tiny_backbone, tmp_path, monkeypatch, method, optimizer):
    task, seeds = write_task(tmp_path), [1, 2, 3]
    complete = settings(method, SMALL | {"optimizer": optimizer, "learning_rate": 0.01})
    run = lambda: single_task.tune_task(tiny_backbone, method, complete, task, draws_of(task, seeds), seeds)  # noqa: E731
    ours = run()
    monkeypatch.setattr(schedule, "SGD", WrittenSGD)
    monkeypatch.setattr(schedule, "AdamW", WrittenAdamW)
    for own, reference, seed in zip(ours, run(), seeds, strict=True):
        start = single_task.scratch(tiny_backbone, method, complete, seed).parameters
        for name, value in own.parameters.items():
            assert torch.equal(value, reference.parameters[name]) and not torch.equal(value, start[name]), name
        assert own.history == reference.history


@pytest.mark.imports
def test_tuning_does_not_import_torchs_compiler():
    code = (
        "import sys, torch; from promptatlas.training.schedule import optimiser; p = torch.ones(2, requires_grad=True)\n"
        "s = {'optimizer': 'adamw', 'learning_rate': .1, 'weight_decay': .1, 'momentum': .9}\n"
        "for s['optimizer'] in ('adamw', 'sgd'):\n    o = optimiser(s, [p]); o.zero_grad(); p.sum().backward(); o.step()\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
