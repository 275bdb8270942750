"""Learning rates epoch by epoch against torch's own cosine under Dassl's warm-up, a closed form and the authors' log."""

import numpy as np
import pytest
import torch

from promptatlas.methods import settings
from promptatlas.training.schedule import learning_rate


def torchs_rates(epochs, rate, steps=1):
    """One warm-up epoch at 1e-5 and torch's own cosine, each stepped `steps` times per epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate)
    cosine, rates, done = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs), [], 0
    for _ in range(epochs):
        rates.append(1e-5 if done == 0 else cosine.get_last_lr()[0])
        for _ in range(steps):
            optimizer.step()
            if done > 0:
                cosine.step()
            done += 1
    return rates


@pytest.mark.parametrize(("method", "rate"), [("coop", 2e-3), ("maple", 3.5e-3)])
@pytest.mark.parametrize("epochs", [2, 5, 10, 50, 200])
def test_learning_rates_are_torchs_to_1e_12(method, rate, epochs):
    complete = settings(method, {"epochs": epochs})
    ours = [learning_rate(complete, epoch) for epoch in range(epochs)]
    np.testing.assert_allclose(ours, torchs_rates(epochs, rate), rtol=0, atol=1e-12)
    assert ours[:2] == [1e-5, rate] and min(ours[1:]) > 1e-7  # the warm-up takes no step of the cosine, which ends above zero


def test_five_epochs_are_those_in_the_authors_log_and_two_those_across_data_sets():
    """MaPLe issue 17 prints five epochs at 3.5e-3; cosines of multiples of 36 degrees have roots."""
    five = [learning_rate(settings("maple"), epoch) for epoch in range(5)]
    np.testing.assert_allclose(five, [1e-5, 3.5e-3, 3.1658e-3, 2.2908e-3, 1.2092e-3], rtol=2e-5)
    cosines = [1, (1 + 5**0.5) / 4, (5**0.5 - 1) / 4, (1 - 5**0.5) / 4]
    np.testing.assert_allclose(five[1:], [3.5e-3 / 2 * (1 + cosine) for cosine in cosines], rtol=0, atol=1e-12)
    two = settings("maple", {"epochs": 2, "learning_rate": 2.6e-3})
    assert [learning_rate(two, epoch) for epoch in range(2)] == [1e-5, 2.6e-3]


@pytest.mark.parametrize("steps", [3, 4])
def test_a_schedule_stepped_for_each_part_of_softcpt_is_torchs_to_1e_12(steps):
    complete = settings("softcpt")
    ours = [learning_rate(complete, epoch * steps) for epoch in range(50)]
    np.testing.assert_allclose(ours, torchs_rates(50, 2e-3, steps), rtol=0, atol=1e-12)
    if steps == 3:  # three entries: down to zero at epoch 17, back at 34, about zero at 49
        assert ours[17] < 1e-9 and ours[34] > 1.99e-3 and ours[49] < 1e-4
