"""Kernels that several outputs share: rotated, modulated, factorised, branched."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from binvision.binary import WEIGHTS, BinaryConv2d, WeightQuantizer
from binvision.binary.methods.decomposition import mode_product


def latent_of(part: WeightQuantizer, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return (torch.randn(part.latent_shape, dtype=torch.float64) * 0.5).requires_grad_()


def of_bases(part: WeightQuantizer, kernel: torch.Tensor) -> np.ndarray:
    signs, factors = (array.detach() for array in part.bases(kernel))
    assert set(signs.unique().tolist()) <= {-1, 1}
    count, outputs, _, *sides = signs.shape
    taps = factors.transpose(1, 2).reshape(
        count, outputs, 1, *(sides if factors.shape[1] > 1 else (1, 1))
    )
    return (signs * taps).sum(0).numpy()


# CBCN


def turned_back_and_forth(latent: np.ndarray, turns: int, outputs: int) -> np.ndarray:
    """Rotations by right angles, and by halves of one for eight turns of a 3x3 filter."""
    kernel = []
    for channels in latent:
        for turn in range(turns):
            quarter, half = divmod(turn * 8 // turns, 2)
            filters = np.rot90(channels, -quarter, axes=(1, 2)).copy()
            if half:
                before = filters.copy()
                ring = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
                for (r0, c0), (r1, c1) in zip(ring, ring[1:] + ring[:1], strict=True):
                    filters[:, r1, c1] = before[:, r0, c0]
            kernel.append(filters)
    return np.stack(kernel)[:outputs]


@pytest.mark.parametrize(("turns", "outputs"), [(4, 8), (8, 8), (2, 6), (4, 7), (8, 3)])
def test_circulant_filters(turns: int, outputs: int) -> None:
    part = WEIGHTS.build({"type": "circulant", "turns": turns}, (outputs, 2, 3, 3))
    latent = latent_of(part)
    expected = turned_back_and_forth(latent.detach().numpy(), turns, outputs)
    kernel = part.expand(latent)
    np.testing.assert_array_equal(kernel.detach(), expected)
    np.testing.assert_array_equal(part(kernel).detach(), np.where(expected >= 0, 1, -1))


def test_circulant_gradients_are_turned_back_and_added() -> None:
    part = WEIGHTS.build("circulant", (8, 2, 3, 3))
    latent = latent_of(part)
    incoming = torch.randn(8, 2, 3, 3, dtype=torch.float64)
    part(part.expand(latent)).backward(incoming)
    clipped = incoming.numpy() * (np.abs(part.expand(latent).detach().numpy()) <= 1)
    expected = sum(np.rot90(clipped[turn::4], turn, axes=(2, 3)) for turn in range(4))
    np.testing.assert_allclose(latent.grad, expected, atol=1e-12)


def test_a_wider_filter_turns_by_right_angles() -> None:
    part = WEIGHTS.build("circulant", (4, 2, 5, 5))
    latent = latent_of(part)
    expected = [np.rot90(latent.detach().numpy()[0], -turn, axes=(1, 2)) for turn in range(4)]
    np.testing.assert_array_equal(part.expand(latent).detach(), np.stack(expected))


def test_a_point_has_no_rotations() -> None:
    assert WEIGHTS.build("circulant", (8, 2, 1, 1)).latent_shape == (8, 2, 1, 1)


# MCN


@pytest.mark.parametrize("outputs", [8, 6])
def test_modulated_filters(outputs: int) -> None:
    part = WEIGHTS.build("modulated", (outputs, 3, 3, 3)).double()
    latent = latent_of(part)
    incoming = torch.randn(outputs, 3, 3, 3, dtype=torch.float64)
    kernel = part.expand(latent)
    result = part(kernel)
    result.backward(incoming)
    c, m, g = latent.detach().numpy(), part.modulation.detach().numpy(), incoming.numpy()
    assert m.shape == (4, 3, 3) and (m > 0).all()
    expected, by_filter, by_plane = np.empty(g.shape), np.zeros(c.shape), np.zeros(m.shape)
    for o in range(outputs):
        code = np.where(c[o // 4] >= 0, 1, -1)
        for channel in range(3):
            expected[o, channel] = code[channel] * m[o % 4]
            by_filter[o // 4, channel] += g[o, channel] * m[o % 4] * (abs(c[o // 4, channel]) <= 1)
            by_plane[o % 4] += g[o, channel] * code[channel]
    np.testing.assert_allclose(result.detach(), expected, atol=1e-12)
    np.testing.assert_allclose(of_bases(part, kernel), expected, atol=1e-12)
    np.testing.assert_allclose(latent.grad, by_filter, atol=1e-12)
    np.testing.assert_allclose(part.modulation.grad, by_plane, atol=1e-12)


# Decompositions

NEAR = {"rtol": 1e-5, "atol": 1e-5}  # factors are rounded to some 24 bits


@pytest.mark.parametrize("rank", [None, 3])
def test_matrix_decomposition(rank: int | None) -> None:
    part = WEIGHTS.build({"type": "matrix", "rank": rank}, (6, 2, 3, 3)).double()
    latent = latent_of(part)
    incoming = torch.randn(6, 2, 3, 3, dtype=torch.float64)
    part(part.expand(latent)).backward(incoming)
    u, v = part.mixing.detach().numpy(), latent.detach().numpy().reshape(-1, 18)
    w = u @ v
    g = incoming.numpy().reshape(6, 18) * (np.abs(w) <= 1)
    np.testing.assert_array_equal(
        part(part.expand(latent)).detach().view(6, 18), np.where(w >= 0, 1, -1)
    )
    np.testing.assert_allclose(part.mixing.grad, g @ v.T, **NEAR)
    np.testing.assert_allclose(latent.grad.view(-1, 18), u.T @ g, **NEAR)


@pytest.mark.parametrize("ranks", [None, (4, 2, 2, 3)])
def test_tucker_decomposition(ranks: tuple[int, ...] | None) -> None:
    part = WEIGHTS.build({"type": "tucker", "ranks": ranks}, (6, 3, 3, 3)).double()
    latent = latent_of(part)
    incoming = torch.randn(6, 3, 3, 3, dtype=torch.float64)
    kernel = part.expand(latent)
    part(kernel).backward(incoming)
    core = latent.detach().numpy()
    factors = [factor.detach().numpy() for factor in part.factors]
    w = np.einsum("abcd,ia,jb,kc,ld->ijkl", core, *factors)
    np.testing.assert_allclose(kernel.detach(), w, **NEAR)
    g = incoming.numpy() * (np.abs(w) <= 1)
    np.testing.assert_allclose(
        latent.grad, np.einsum("ijkl,ia,jb,kc,ld->abcd", g, *factors), **NEAR
    )
    np.testing.assert_allclose(
        part.factors[1].grad,
        np.einsum("ijkl,abcd,ia,kc,ld->jb", g, core, factors[0], factors[2], factors[3]),
        **NEAR,
    )


@pytest.mark.parametrize("method", ["decomposed_matrix", "decomposed_tucker"])
def test_reconstructed_filters_begin_at_the_size_of_real_ones(method: str) -> None:
    torch.manual_seed(0)
    kernel = BinaryConv2d(64, 128, 3, method=method).kernel()
    assert abs(kernel.std().item() / np.sqrt(2 / 576) - 1) < 0.05


def test_mixed_precision_does_not_change_a_sign() -> None:
    torch.manual_seed(0)
    for method in ("decomposed_matrix", "decomposed_tucker"):
        layer = BinaryConv2d(32, 32, 3, method=method)
        with torch.autocast("cpu", torch.bfloat16):
            inside = layer.kernel()
        assert torch.equal(inside, layer.kernel())


@pytest.mark.parametrize("rank", [1, 37, 256, 511])
def test_products_are_exact_whatever_the_order_of_additions(rank: int) -> None:
    torch.manual_seed(rank)
    # Columns in pairs that cancel but for a last bit or two, so that many sums are near zero.
    half = torch.randn(12, rank)
    factor = torch.cat([half, torch.nextafter(-half, torch.zeros(()))], 1)
    tensor = torch.randn(rank, 5, 3).repeat(2, 1, 1) * 10.0 ** torch.randint(-6, 3, (5, 3))
    product = mode_product(factor, tensor, 0)
    assert product.dtype == torch.float64
    for _ in range(5):
        order = torch.randperm(2 * rank)
        again = mode_product(factor[:, order], tensor[order], 0)
        assert torch.equal(product, again)
    bits = (53 - (2 * rank).bit_length()) // 2
    u, v = (on_grid(values.numpy(), bits) for values in (factor, tensor))
    for i, j, k in np.ndindex(12, 5, 3):
        exact = sum(a * b for a, b in zip(u[i], v[:, j, k], strict=True))
        assert Fraction(product[i, j, k].item()) == exact
    largest = factor.abs().max() * tensor.abs().max() * 2 * rank
    plain = np.tensordot(factor.double().numpy(), tensor.double().numpy(), 1)
    np.testing.assert_allclose(product, plain, rtol=0, atol=largest.item() * 2.0 ** (1 - bits))


def on_grid(values: np.ndarray, bits: int) -> np.ndarray:
    """The nearest fractions of 2^-bits of the power of two above all, ties to even."""
    step = Fraction(2) ** (int(np.frexp(np.abs(values).max())[1]) - bits)
    return np.vectorize(lambda value: round(Fraction(float(value)) / step) * step, otypes="O")(
        values
    )


def test_products_of_zeros_are_zero() -> None:
    product = mode_product(torch.zeros(3, 2), torch.randn(2, 4), 0)
    assert torch.equal(product, torch.zeros(3, 4, dtype=torch.float64))


@pytest.mark.parametrize("method", ["decomposed_matrix", "decomposed_tucker"])
def test_signs_near_zero_are_those_of_another_order(method: str) -> None:
    """Renaming what is summed over changes the order of every sum, and must not change a sign."""
    torch.manual_seed(0)
    layer = BinaryConv2d(16, 16, 3, method=method)
    part = layer.quantizer
    factors = [part.mixing] if method == "decomposed_matrix" else list(part.factors)
    with torch.no_grad():
        # Kernels that are zero but for roundings.
        layer.weight[8:] = layer.weight[:8]
        factors[0][:, 8:] = -factors[0][:, :8]
        layer.weight[8:] *= 1 + 1e-7
        kernel = layer.kernel()
        assert kernel.abs().max() < 1e-5 and 0.2 < (kernel >= 0).float().mean() < 0.9
        for mode, factor in enumerate(factors):
            order = torch.randperm(factor.shape[1])
            factor.copy_(factor[:, order])
            layer.weight.copy_(layer.weight.index_select(mode, order))
        assert torch.equal(layer.kernel(), kernel)


# Group-Net


def test_branches() -> None:
    part = WEIGHTS.build({"type": "branches", "branches": 3}, (4, 2, 3, 3)).double()
    latent = latent_of(part)
    with torch.no_grad():
        part.coefficients.copy_(torch.tensor([0.5, -0.2, 0.9], dtype=torch.float64))
    incoming = torch.randn(4, 2, 3, 3, dtype=torch.float64)
    result = part(part.expand(latent))
    result.backward(incoming)
    w, g = latent.detach().numpy().reshape(3, 4, 2, 3, 3), incoming.numpy()
    expected, by_weight, by_coefficient = np.zeros(g.shape), np.empty(w.shape), np.zeros(3)
    for k, coefficient in enumerate((0.5, -0.2, 0.9)):
        for o in range(4):
            code, mean = np.where(w[k, o] >= 0, 1, -1), np.abs(w[k, o]).mean()
            expected[o] += coefficient * mean * code
            by_weight[k, o] = g[o] * coefficient * mean * (np.abs(w[k, o]) <= 1)
            by_coefficient[k] += (g[o] * mean * code).sum()
    np.testing.assert_allclose(result.detach(), expected, atol=1e-12)
    np.testing.assert_allclose(of_bases(part, latent), expected, atol=1e-12)
    np.testing.assert_allclose(latent.grad, by_weight.reshape(latent.shape), atol=1e-12)
    np.testing.assert_allclose(part.coefficients.grad, by_coefficient, atol=1e-12)
