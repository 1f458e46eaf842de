"""Activations against their formulas and their gradients, restated in NumPy."""

from __future__ import annotations

import numpy as np
import torch

from binvision.binary import RPReLU


def random_layer(seed: int = 0) -> RPReLU:
    torch.manual_seed(seed)
    layer = RPReLU(5).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def test_rprelu_and_its_gradients() -> None:
    layer = random_layer()
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64, requires_grad=True)
    incoming = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    y = layer(x)
    y.backward(incoming)
    gamma, beta, zeta = (
        parameter.detach().numpy()[:, None, None]
        for parameter in (layer.gamma, layer.beta, layer.zeta)
    )
    moved, g = x.detach().numpy() - gamma, incoming.numpy()
    np.testing.assert_allclose(
        y.detach().numpy(), np.where(moved > 0, moved, beta * moved) + zeta, atol=1e-12
    )
    slope = np.where(moved > 0, 1, beta)
    np.testing.assert_allclose(x.grad.numpy(), g * slope, atol=1e-12)
    sums = {
        "gamma": -(g * slope).sum((0, 2, 3)),
        "beta": (g * np.minimum(moved, 0)).sum((0, 2, 3)),
        "zeta": g.sum((0, 2, 3)),
    }
    for name, expected in sums.items():
        np.testing.assert_allclose(getattr(layer, name).grad.numpy(), expected, atol=1e-12)


def test_rprelu_starts_as_a_prelu() -> None:
    x = torch.randn(1, 5, 3, 4)
    assert torch.equal(RPReLU(5)(x), torch.nn.PReLU()(x))
    assert str(RPReLU(5)) == "RPReLU(5)"
