"""DSQ: a sign whose gradient is that of a tanh that learns how steep it is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, WEIGHTS, ActivationQuantizer, WeightQuantizer
from binvision.binary.steps import straight_through

__all__ = ["DsqActivation", "DsqWeight", "soft_step"]

_LEAST, _MOST = 1e-3, 0.5  # of alpha: a step, and not yet a line


def soft_step(x: Tensor, alpha: Tensor, bound: Tensor) -> Tensor:
    """Differentiable soft quantisation to one bit.

    Within ``+-bound``, of the width ``D = 2 bound`` and around its middle 0::

        phi(x) = s * tanh(k x),  s = 1 / (1 - alpha),  k = log(2 / alpha - 1) / D

    so that phi(+-bound) = +-1; beyond it is +-1. alpha, ``1 - tanh(k D / 2)``, is how far the tanh
    stays from 1 there: 0 is a hard step, 1 nearly a line.

    Args:
        x: Any shape.
        alpha: Scalar, 0 to 1.
        bound: Positive scalar.

    Returns:
        ``bound * phi(x)``, with gradients to all three.
    """
    slope = torch.log(2 / alpha - 1) / (2 * bound)
    inside = torch.minimum(torch.maximum(x, -bound.to(x.dtype)), bound.to(x.dtype))
    return (bound / (1 - alpha)).to(x.dtype) * torch.tanh(slope.to(x.dtype) * inside)


class _Curve(nn.Module):
    """alpha and the bound, learned by numbers that may have any value.

    A step of the optimiser is then small against both, however narrow the bound is: the bound is
    ``unit * exp(width)``, and alpha ``sigmoid(softness) / 2``, 0.2 at first.
    """

    def __init__(self, unit: float) -> None:
        super().__init__()
        self._unit = unit
        self.softness = nn.Parameter(torch.tensor(math.log(0.4 / 0.6)))
        self.width = nn.Parameter(torch.zeros(()))

    def alpha(self) -> Tensor:
        return (_MOST * torch.sigmoid(self.softness)).clamp(min=_LEAST)

    def bound(self) -> Tensor:
        return self._unit * self.width.exp()

    def forward(self, x: Tensor) -> Tensor:
        alpha, bound = self.alpha(), self.bound()
        soft = soft_step(x, alpha, bound)
        return straight_through(soft, bound.detach().to(x.dtype) * sign(x))


@ACTIVATIONS.register("dsq")
class DsqActivation(ActivationQuantizer):
    """``u * sign(phi(x))``, with the gradient of ``u * phi(x)``; see :func:`soft_step`.

    alpha, up to 0.5, and the bound u are learned. The paper has a bound on either side; one is
    enough here, where the learned shift of the layer moves the middle.

    Args:
        channels: Input channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.curve = _Curve(1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``u * sign(x)``, (N, C, H, W)."""
        result: Tensor = self.curve(x)
        return result

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return the threshold 0, (1, 1), and the bound, (1,)."""
        bound = self.curve.bound().detach()
        return bound.new_zeros(1, 1), bound.view(1)


@WEIGHTS.register("dsq")
class DsqWeight(WeightQuantizer):
    """``u * sign(phi(W))``, with the gradient of ``u * phi(W)``; see :func:`soft_step`.

    The bound u is the scale of the layer; it starts at two deviations of the first weights.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.curve = _Curve(2 * math.sqrt(2 / math.prod(shape[1:])))

    def forward(self, kernel: Tensor) -> Tensor:
        """Return ``u * sign(W)``, (O, C / groups, KH, KW)."""
        result: Tensor = self.curve(kernel)
        return result

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs (1, O, C / groups, KH, KW) and the bound, (1, 1, O)."""
        bound = self.curve.bound().detach().to(kernel.dtype)
        return sign(kernel)[None], bound.expand(1, 1, len(kernel)).clone()


register_method(
    Method(
        name="dsq",
        kind="estimator",
        title="DSQ, one bit",
        paper="Gong et al., Differentiable Soft Quantization: Bridging Full-Precision and Low-Bit "
        "Neural Networks, ICCV 2019 (arXiv 1908.05033)",
        formula="y = sum(u sign(W) * v sign(x)); the gradient is that of u phi within +-u, "
        "phi(x) = s tanh(k x), s = 1 / (1 - alpha), k = log(2 / alpha - 1) / (2 u); "
        "alpha and the bounds u, v learned, one of each a layer",
        activation="dsq",
        weight="dsq",
    )
)
