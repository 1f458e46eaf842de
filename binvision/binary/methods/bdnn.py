"""BDNN: binarised back-propagation, with norms and steps of shifts."""

from __future__ import annotations

from torch import Tensor

from binvision.binary.estimators import sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer

__all__ = ["ClippedWeight"]


@WEIGHTS.register("clipped")
class ClippedWeight(WeightQuantizer):
    """Signs of weights that are kept within +-1, where the estimator passes the gradient.

    The latent weights start uniform within +-1 and are clipped to it after each step (algorithm 1
    of Hubara et al., Binarized Neural Networks, NeurIPS 2016).
    """

    def start(self, latent: Tensor) -> None:
        """Fill the latent weights uniformly within +-1."""
        latent.uniform_(-1, 1)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the signs; the gradient passes where ``|W| <= 1``."""
        return sign_clip(kernel)

    def after_step(self, latent: Tensor) -> None:
        """Clip the latent weights to +-1."""
        latent.clamp_(-1, 1)


register_method(
    Method(
        name="bdnn",
        kind="early",
        title="BDNN, norms and steps by shifts",
        paper="Hubara et al., Binarized Neural Networks, 2016 (arXiv 1602.02505), and NeurIPS 2016",
        formula="y = sum(sign(W) * sign(x)), W within +-1 by clipping after each step; batch norm "
        "C(x) = x - mean, y = AP2(g) * AP2(1 / sqrt(mean(C AP2(C)) + eps)) * C + b and AdaMax "
        "w = w - AP2(lr / (1 - b1^t)) * m * AP2(1 / v) with AP2 the nearest power of two",
        activation="clip",
        weight="clipped",
        config={
            "model": {"network": {"backbone": {"norm": "shift"}}},
            "optim_wrapper": {"optimizer": {"type": "ShiftAdaMax", "lr": 2**-7, "_delete_": True}},
        },
    )
)
