"""The optimisers against torch's own, step by step."""

import subprocess
import sys

import pytest
import torch

from promptatlas.training.optimisers import SGD, AdamW

PAIRS = {
    "sgd": (lambda p: SGD(p, 0.1, 0.01, 0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01)),
    "plain sgd": (lambda p: SGD(p, 0.1, 0.0, 0.0), lambda p: torch.optim.SGD(p, 0.1)),
    "adamw": (lambda p: AdamW(p, 0.01, 5e-4), lambda p: torch.optim.AdamW(p, 0.01, weight_decay=5e-4)),
    "adamw, Tip-Adapter": (lambda p: AdamW(p, 0.01, 0.01, 1e-4), lambda p: torch.optim.AdamW(p, 0.01, eps=1e-4, weight_decay=0.01)),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_every_step_is_torchs_with_changing_rates_and_missing_gradients(pair):
    random = torch.Generator().manual_seed(5)
    start = [torch.randn(3, 4, generator=random, dtype=torch.float64), torch.randn(5, generator=random, dtype=torch.float64)]
    ours, theirs = ([value.clone().requires_grad_() for value in start] for _ in range(2))
    own, reference = PAIRS[pair][0](ours), PAIRS[pair][1](theirs)
    for step in range(12):
        own.rate = reference.param_groups[0]["lr"] = 0.1 / (1 + step)
        own.zero_grad()
        reference.zero_grad()
        for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if number == 0 or step not in (0, 4):  # the second parameter starts late and misses a step
                a.grad = torch.randn(a.shape, generator=random, dtype=torch.float64)
                b.grad = a.grad.clone()
        own.step()
        reference.step()
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, atol=1e-14, rtol=1e-13)
    assert not torch.equal(ours[0], start[0])


def test_tuning_does_not_import_torchs_compiler():
    code = (
        "import sys, torch; from promptatlas.training.schedule import optimiser; p = torch.ones(2, requires_grad=True)\n"
        "s = {'optimizer': 'adamw', 'learning_rate': .1, 'weight_decay': .1, 'momentum': .9}\n"
        "for s['optimizer'] in ('adamw', 'sgd'):\n    o = optimiser(s, [p]); o.zero_grad(); p.sum().backward(); o.step()\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
