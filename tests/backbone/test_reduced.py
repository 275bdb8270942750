"""Products of rounded factors against float64, against torch's own half precision, and in what a GPU is allowed meanwhile."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from promptatlas.backbone import reduced

ROUNDED = {reduced.tf32_linear: reduced.as_tf32, reduced.half_linear: reduced.as_half}


def to_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """To so many significant bits, ties to even, in double precision."""
    fraction, exponent = np.frexp(values.astype(np.float64))
    return np.ldexp(np.round(np.ldexp(fraction, bits)), exponent - bits)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Of many sizes."""
    own = np.random.default_rng(seed)
    return torch.from_numpy((own.normal(size=shape) * 10.0 ** own.uniform(-3, 3, shape)).astype(np.float32))


@pytest.mark.parametrize("rounded", [reduced.as_tf32, reduced.as_half])
def test_eleven_bits_are_left_of_a_number(rounded):
    x = torch.cat([numbers(10_000), torch.tensor([1 + 2**-11, 1 + 3 * 2**-11, -1 - 2**-11, 0.0, 2**-12])])  # the first lie between two
    kept = x[x.abs() < 60_000]  # which half precision holds
    np.testing.assert_array_equal(rounded(kept).double().numpy()[kept.abs() > 1e-4], to_bits(kept.numpy(), 11)[kept.abs().numpy() > 1e-4])
    assert torch.equal(rounded(rounded(kept)), rounded(kept)) and not torch.equal(rounded(kept), kept)


def test_tf32_keeps_the_range_of_float32_and_half_precision_does_not():
    wide = torch.tensor([1e30, -1e-30, 70_000.0])
    assert (reduced.as_tf32(wide) / wide - 1).abs().max() < 2**-11
    assert reduced.as_half(wide).tolist() == [float("inf"), 0.0, float("inf")]
    assert reduced.as_tf32(torch.tensor([float("nan"), float("inf")])).isnan().all()  # never a number again


@pytest.mark.parametrize("linear", ROUNDED)
@pytest.mark.parametrize("biased", [True, False])
def test_value_and_gradient_are_products_of_rounded_factors(linear, biased):
    rounded, generator = ROUNDED[linear], torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 50, 40, generator=generator, requires_grad=True)
    weight, gradient = rounded(torch.randn(30, 40, generator=generator) * 0.2), torch.randn(2, 3, 50, 30, generator=generator)
    bias = rounded(torch.randn(30, generator=generator)) if biased else None
    value = linear(x, weight, bias)
    value.backward(gradient)
    expected = rounded(x.detach()).double() @ weight.double().T + (0 if bias is None else bias.double())
    wanted = rounded(gradient).double() @ weight.double()
    last = 2e-6 if linear is reduced.tf32_linear else 2**-11  # the result of half precision is rounded itself
    torch.testing.assert_close(value.double(), expected, rtol=last, atol=4e-6)
    torch.testing.assert_close(x.grad.double(), wanted, rtol=last, atol=4e-6)
    assert not torch.allclose(value, F.linear(x, weight, bias), rtol=0, atol=1e-5)  # rounding is seen


def test_numbers_of_half_precision_kept_as_float32_multiply_as_torchs_own_do():
    generator = torch.Generator().manual_seed(2)
    x, weight, bias = torch.randn(64, 40, generator=generator), torch.randn(30, 40, generator=generator).half(), torch.randn(30).half()
    gradient, found = torch.randn(64, 30, generator=generator).half(), []
    for own in ((weight, bias), (weight.float(), bias.float())):
        leaf = x.clone().requires_grad_()
        value = reduced.half_linear(leaf, *own)
        value.backward(gradient.to(value.dtype))
        assert value.dtype == own[0].dtype and leaf.grad.dtype == torch.float32
        found.append((value.detach().float(), leaf.grad))
    for real, kept in zip(*found, strict=True):
        unit = 2.0 ** (torch.frexp(real)[1] - 11)
        assert ((real - kept).abs() <= unit + 1e-6).all() and (
            real != kept
        ).float().mean() < 0.02  # sums in another order, rarely rounded apart


def test_only_where_answers_are_given_the_text_is_in_float32():
    x, weight = numbers(5, 4, seed=3), numbers(3, 4, seed=4)
    with torch.no_grad():
        assert torch.equal(reduced.tf32_while_tuning(x, weight), reduced.frozen_linear(x, weight))
    assert torch.equal(reduced.tf32_while_tuning(x, weight), reduced.tf32_linear(x, weight))
    assert not torch.equal(reduced.tf32_linear(x, weight), reduced.frozen_linear(x, weight))


def test_a_gpu_may_round_factors_in_these_products_alone(monkeypatch):
    """A tensor without memory takes the way of a GPU."""
    allowed, linear = [], F.linear
    monkeypatch.setattr(reduced.F, "linear", lambda *given: (allowed.append(torch.backends.cuda.matmul.allow_tf32), linear(*given))[1])
    torch.backends.cuda.matmul.allow_tf32 = False
    x = torch.empty(7, 5, device="meta", requires_grad=True)
    value = reduced.tf32_linear(x, torch.empty(3, 5, device="meta"), torch.empty(3, device="meta"))
    assert value.shape == (7, 3) and allowed == [True] and not torch.backends.cuda.matmul.allow_tf32
    value.sum().backward()
    assert x.grad.shape == (7, 5) and allowed == [True, True] and not torch.backends.cuda.matmul.allow_tf32

    def broken(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(reduced.F, "linear", broken)
    with pytest.raises(RuntimeError):
        reduced.tf32_linear(x, torch.empty(3, 5, device="meta"))
    assert not torch.backends.cuda.matmul.allow_tf32
