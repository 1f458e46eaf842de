"""Bayesian optimised 1-bit CNNs: kernels are drawn to two modes."""

from __future__ import annotations

from torch import Tensor

from binvision.binary.conv import BinaryConv2d
from binvision.binary.method import Method, register_method
from binvision.binary.methods.rbcn import kernel_error
from binvision.binary.parts import LOSSES

__all__ = ["bayesian_kernel_loss"]

_NU = 1e-3  # variance of the reconstruction, and so the weight of the prior against it


@LOSSES.register("bayesian_kernel")
def bayesian_kernel_loss(layer: BinaryConv2d) -> Tensor:
    """BONN's loss of the kernels, a scalar.

    The prior of a kernel has two modes: positive weights are normal around mu, negative ones around
    -mu, with variance psi. With ``k = W_o`` and its reconstruction ``C_o sign(W_o)``::

        1/2 sum over o of  ||C_o sign(k) - k||^2
                           + nu (sum of (k - sign(k) mu)^2 / psi + n log psi)

    mu and psi are the mean and the variance of ``|k|``, the most likely ones, and constants to the
    gradient; n is the number of weights of the channel. psi is nu at least, the variance of what
    quantisation leaves: the paper learns psi step by step, and the pull of a mode as narrow as the
    weights are grows as they gather, until none can change its sign.
    """
    magnitude = layer.kernel().abs().flatten(1)
    current = magnitude.detach()
    mean = current.mean(1, keepdim=True)
    variance = current.var(1, correction=0, keepdim=True).clamp(min=_NU)
    prior = ((magnitude - mean).square() / variance + variance.log()).sum()
    return kernel_error(layer) + 0.5 * _NU * prior


register_method(
    Method(
        name="bonn",
        kind="loss",
        title="BONN, the Bayesian losses",
        paper="Gu et al., Bayesian Optimized 1-Bit CNNs, ICCV 2019 (arXiv 1908.06314)",
        formula="y[o] = C_o * sum(sign(W_o) * sign(x)), C learned; loss + ||C_o sign(W_o) - "
        "W_o||^2 / 2 + nu/2 (sum of (|W_o| - mu)^2 / psi + n log psi), with the most likely mu and "
        "psi; of a classifier's features f + theta/2 (||f - c||^2 + sum of (f - c)^2 / v + log v), "
        "with the centre c and the variances v of the class learned",
        activation="polynomial",
        weight="polynomial",
        scale="learned",
        losses={"bayesian_kernel": 1e-4},
        config={"model": {"features": {"type": "bayesian", "weight": 1e-3}}},
    )
)
