"""Signs and their gradients against formulas restated in float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from binvision.binary import ESTIMATORS, sign

EDGES = np.array([-2.0, -1.0, -0.999, -0.5, -0.0, 0.0, 1e-30, 0.5, 0.999, 1.0, 1.001, 3.0])


def clip_slope(x: np.ndarray) -> np.ndarray:
    return np.array([1.0 if -1 <= value <= 1 else 0.0 for value in x])


def polynomial_slope(x: np.ndarray) -> np.ndarray:
    slope = np.zeros_like(x)
    left, right = (x >= -1) & (x < 0), (x >= 0) & (x < 1)
    slope[left], slope[right] = 2 + 2 * x[left], 2 - 2 * x[right]
    return slope


def long_tailed_slope(x: np.ndarray) -> np.ndarray:
    slope = np.zeros_like(x)
    for index, size in enumerate(np.abs(x)):
        if size <= 0.4:
            slope[index] = 2 - 4 * size
        elif size <= 1:
            slope[index] = 0.4
    return slope


SLOPES = {"clip": clip_slope, "long_tailed": long_tailed_slope, "polynomial": polynomial_slope}


def test_every_estimator_has_a_reference() -> None:
    assert set(SLOPES) == set(ESTIMATORS)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_forward_is_plus_one_at_zero_and_never_zero(name: str) -> None:
    result = ESTIMATORS[name](torch.from_numpy(EDGES))
    expected = [1.0 if value >= 0 else -1.0 for value in EDGES]
    assert result.tolist() == expected
    assert result[4] == 1 and result[5] == 1  # -0.0 and 0.0


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
@given(
    values=hnp.arrays(np.float64, 32, elements=st.floats(-3, 3, allow_subnormal=False)),
    seed=st.integers(0, 2**16),
)
def test_gradient_is_the_slope_of_the_paper(name: str, values: np.ndarray, seed: int) -> None:
    values = np.concatenate([values, EDGES])
    incoming = np.random.default_rng(seed).normal(size=values.shape)
    x = torch.from_numpy(values).requires_grad_()
    ESTIMATORS[name](x).backward(torch.from_numpy(incoming))
    np.testing.assert_allclose(x.grad.numpy(), incoming * SLOPES[name](values), atol=1e-12)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dtype_is_kept(name: str, dtype: torch.dtype) -> None:
    x = torch.randn(5, dtype=dtype, requires_grad=True)
    y = ESTIMATORS[name](x)
    y.sum().backward()
    assert y.dtype == dtype and x.grad.dtype == dtype
    assert torch.equal(sign(x.detach()), y.detach())
