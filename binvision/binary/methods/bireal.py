"""Bi-Real Net."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.estimators import sign, sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer

__all__ = ["MagnitudeAwareWeight"]

_PAPER = (
    "Liu et al., Bi-Real Net: Enhancing the Performance of 1-bit CNNs With Improved "
    "Representational Capability and Advanced Training Algorithm, ECCV 2018 (arXiv 1808.00278)"
)


@WEIGHTS.register("magnitude_aware")
class MagnitudeAwareWeight(WeightQuantizer):
    """Signs times the mean magnitude of all weights of the layer (section 3.3).

    ::

        w(W) = mean |W| * sign(W),  d w / d W = mean |W| where |W| <= 1

    The mean is over the whole layer, and a constant to the gradient: the update of a weight is in
    proportion to how large weights are, so that steps and weights keep one measure. After training
    the paper takes plain signs and measures the batch norms again; a factor of the whole layer,
    kept here, comes to the same.
    """

    def forward(self, kernel: Tensor) -> Tensor:
        """Return ``mean |W| * sign(W)``, (O, C / groups, KH, KW)."""
        return sign_clip(kernel) * kernel.detach().abs().mean()

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs (1, O, C / groups, KH, KW) and the factor (1, 1, O)."""
        return sign(kernel)[None], kernel.abs().mean() * torch.ones_like(
            kernel[None, None, :, 0, 0, 0]
        )


register_method(
    Method(
        name="bireal",
        kind="estimator",
        title="Bi-Real Net",
        paper=_PAPER,
        formula="y[o] = mean |W_o| * sum(sign(W_o) * sign(x)); d sign(x) / dx = 2 - 2|x| where "
        "|x| < 1 (eq. 5 and 6); the mean is a constant to the gradient (eq. 7 and 8)",
        activation="polynomial",
        weight="clip",
        scale="mean_constant",
    )
)
register_method(
    Method(
        name="bireal_layer",
        kind="estimator",
        title="Bi-Real Net, magnitude-aware weights",
        paper=_PAPER,
        formula="y = mean |W| * sum(sign(W) * sign(x)), the mean over the whole layer as written "
        "in section 3.3, not over each output channel as in the authors' code; constant to the "
        "gradient",
        activation="polynomial",
        weight="magnitude_aware",
    )
)
