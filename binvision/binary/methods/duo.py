"""BinaryDuo: two binary activations are one ternary activation first, then go apart."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.estimators import sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer

__all__ = ["DuoWeight"]


@WEIGHTS.register("duo")
class DuoWeight(WeightQuantizer):
    """``sign(W)``; the two halves of the input channels share one kernel at first.

    ::

        W1 = W2 = (W1 + W2) / 2    up to a share of the schedule

    Where both halves hold the same values at two thresholds, as in the block ``duo``, their signs
    add up to a ternary activation while the kernel is shared. Gradients of a ternary activation
    mislead less. From then on each half learns alone, starting from the same function. An odd
    number of channels has no halves, and shares nothing.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        until: Share of the schedule, 0..1, at which the halves part.
    """

    progress: Tensor

    def __init__(self, shape: tuple[int, ...], until: float = 0.6) -> None:
        super().__init__(shape)
        self.until, self._has_halves = until, shape[1] % 2 == 0
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the signs; those of a shared kernel have the mean of its halves' gradients."""
        return sign_clip(self._shared(kernel) if self.training else kernel)

    def after_step(self, latent: Tensor) -> None:
        """Keep the halves equal while they are shared."""
        latent.copy_(self._shared(latent))

    def _shared(self, kernel: Tensor) -> Tensor:
        if not self._has_halves:
            return kernel
        first, second = kernel.chunk(2, 1)
        mean = (first + second) / 2
        return torch.where(self.progress < self.until, torch.cat([mean, mean], 1), kernel)


register_method(
    Method(
        name="binary_duo",
        kind="training",
        title="BinaryDuo",
        paper="Kim et al., BinaryDuo: Reducing Gradient Mismatch in Binary Activation Network by "
        "Coupling Binary Activations, ICLR 2020 (arXiv 2002.06517)",
        formula="y = sum(sign(W1) * sign(x + s1)) + sum(sign(W2) * sign(x + s2)); first W1 = W2, "
        "so that the two signs are a ternary activation, then each alone. Channels are 1/sqrt(2) "
        "as many, so that bits and binary operations are at most those of one sign a channel.",
        activation="clip",
        weight="duo",
        config={"model": {"network": {"backbone": {"block": "duo", "channels": (44, 88, 176)}}}},
    )
)
