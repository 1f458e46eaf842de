"""TBN: ternary inputs and binary weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, ActivationQuantizer
from binvision.binary.steps import straight_through

__all__ = ["TernaryActivation"]


@ACTIVATIONS.register("ternary")
class TernaryActivation(ActivationQuantizer):
    """Activations of +1, 0 and -1 (TBN).

    ::

        a(x) = +1 if x > delta, -1 if x < -delta, else 0;  delta = factor * mean |x|
             = (sign(x - delta) + sign(x + delta)) / 2

    The paper takes the mean from each input; here it is the running mean of training, one number a
    layer, so that the two planes have constant thresholds. A value of exactly ``delta`` counts as
    above it. The gradient passes where ``|x| <= 1``.

    Args:
        channels: Input channels.
        factor: The factor of the mean; the paper's is 0.4.
        momentum: Share of the newest batch in the mean.
    """

    mean: Tensor

    def __init__(self, channels: int, factor: float = 0.4, momentum: float = 0.1) -> None:
        super().__init__(channels)
        self._factor, self._momentum = factor, momentum
        self.register_buffer("mean", torch.tensor(math.sqrt(2 / math.pi)))  # of a normal x

    def forward(self, x: Tensor) -> Tensor:
        """Return the ternary values, (N, C, H, W); in training, follow the mean."""
        with torch.no_grad():
            delta = (self._factor * self.mean).to(x.dtype)
            value = (x >= delta).to(x.dtype) - (x < -delta).to(x.dtype)
            magnitude = x.abs()
            inside = magnitude <= 1
            if self.training:
                self.mean.lerp_(magnitude.mean(dtype=self.mean.dtype), self._momentum)
        return straight_through(x, value, inside)

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return thresholds (2, 1) and coefficients (2,)."""
        delta = self._factor * self.mean
        return torch.stack([delta, -delta]).unsqueeze(1), delta.new_full((2,), 0.5)


register_method(
    Method(
        name="tbn",
        kind="quantiser",
        title="TBN",
        paper="Wan et al., TBN: Convolutional Neural Network with Ternary Inputs and Binary "
        "Weights, ECCV 2018",
        formula="y[o] = mean |W_o| * sum(sign(W_o) * t(x)); t(x) = sign(x) where |x| > d, else 0, "
        "d = 0.4 * mean |x| = (sign(x - d) + sign(x + d)) / 2: two planes. The paper takes the "
        "mean from each input; here it is the running mean of training.",
        activation="ternary",
        weight="clip",
        scale="mean",
    )
)
