"""Linear maps with frozen weights against float64, whichever product the CPU has."""

import pytest
import torch

from promptatlas.backbone import linear

PRODUCTS = {"chosen": linear._PRODUCT, "default": None}


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("shape", [(1, 5), (3, 1, 7, 5), (2, 300, 17, 5)])
def test_value_and_gradient_equal_float64(product, biased, shape, monkeypatch):
    monkeypatch.setattr(linear, "_PRODUCT", PRODUCTS[product])
    random = torch.Generator().manual_seed(3)
    x = torch.randn(*shape, generator=random).transpose(0, -2)  # not contiguous
    weight, gradient = torch.randn(9, 5, generator=random)[2:], torch.randn(*x.shape[:-1], 7, generator=random)
    bias = torch.randn(7, generator=random) if biased else None
    reference = x.double().requires_grad_()
    expected = torch.einsum("...n,mn->...m", reference, weight.double()) + (bias.double() if biased else 0)
    expected.backward(gradient.double())
    x.requires_grad_()
    value = linear.frozen_linear(x, weight, bias)
    value.backward(gradient)
    torch.testing.assert_close(value.double(), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(x.grad.double(), reference.grad, atol=1e-5, rtol=1e-5)


def test_other_precisions_take_torchs_own_way():
    x, weight = torch.randn(4, 5, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    torch.testing.assert_close(linear.frozen_linear(x, weight), x @ weight.t())
