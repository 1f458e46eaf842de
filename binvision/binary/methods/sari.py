"""Initial weights of one variance in all layers."""

from __future__ import annotations

from torch import Tensor

from binvision.binary.estimators import sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer

__all__ = ["EqualVarianceWeight"]


@WEIGHTS.register("equal_variance")
class EqualVarianceWeight(WeightQuantizer):
    """Signs of weights that start normal with the same deviation in every layer.

    Common initialisations divide the variance by the number of inputs, so that outputs keep theirs;
    outputs of signs do not depend on it, only how soon a sign flips does.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        deviation: Standard deviation of the first weights.
    """

    def __init__(self, shape: tuple[int, ...], deviation: float = 0.1) -> None:
        super().__init__(shape)
        self._deviation = deviation

    def start(self, latent: Tensor) -> None:
        """Fill the latent weights by a normal distribution."""
        latent.normal_(0, self._deviation)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the signs; the gradient passes where ``|W| <= 1``."""
        return sign_clip(kernel)


register_method(
    Method(
        name="sari",
        kind="training",
        title="BNN, weights of equal variance at first",
        paper="Sari et al., How Does Batch Normalization Help Binary Training?, 2019 (arXiv "
        "1909.09139; first as A Study on Binary Neural Networks Initialization)",
        formula="y = sum(sign(W) * sign(x)), W = N(0, s^2) at first with one s for all layers, in "
        "place of a variance that falls with the number of inputs",
        activation="clip",
        weight="equal_variance",
    )
)
