"""CI-BCNN: channels of the output that correct one another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.estimators import sign, sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer
from binvision.binary.steps import unrounded

__all__ = ["InteractingWeight"]


@WEIGHTS.register("interacting")
class InteractingWeight(WeightQuantizer):
    """Each output channel and what another adds to it.

    ::

        y'[o] = y[o] + U[o, p] * y[p],  p = argmax |U[o]|,  y[o] = mean |W[o]| * sum(sign(W[o]) * a)

    CI-BCNN adds to the bit count of a channel a step function of that of another, and finds the
    pairs by reinforcement learning. Here the influence is linear, so that it folds into the kernel,
    two bases a layer, and a learned matrix U decides the pairs: of each row the greatest counts in
    the forward pass, and all get a gradient. A channel does not influence itself. The gradient of
    the sign is clipped; the mean is a constant to it.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
    """

    eye: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        outputs = shape[0]
        self.influence = nn.Parameter(0.01 * torch.randn(outputs, outputs))
        self.register_buffer("eye", torch.eye(outputs, dtype=torch.bool), persistent=False)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the kernel of channel and influence, (O, C / groups, KH, KW)."""
        scaled = sign_clip(kernel) * self._means(kernel.detach())
        alone = self.influence.masked_fill(self.eye, 0)
        values, sources = self._strongest()
        chosen = torch.zeros_like(alone).scatter(1, sources.unsqueeze(1), values.unsqueeze(1))
        mixing = chosen + (alone - alone.detach())
        with unrounded(kernel):
            return scaled + torch.einsum("op,pchw->ochw", mixing, scaled)

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return a channel's own signs and those of the other, (2, O, ...), and (2, 1, O)."""
        signs, means = sign(kernel), self._means(kernel).flatten()
        values, sources = self._strongest()
        return (
            torch.stack([signs, signs[sources]]),
            torch.stack([means, values * means[sources]]).unsqueeze(1),
        )

    def _strongest(self) -> tuple[Tensor, Tensor]:
        """Influence on each channel and where it comes from, both (O,)."""
        alone = self.influence.detach().masked_fill(self.eye, 0)
        sources = alone.abs().argmax(1)
        return alone.gather(1, sources.unsqueeze(1)).squeeze(1), sources

    def _means(self, kernel: Tensor) -> Tensor:
        return kernel.abs().mean((1, 2, 3), keepdim=True)


register_method(
    Method(
        name="ci_bcnn",
        kind="training",
        title="CI-BCNN, with linear influence",
        paper="Wang et al., Learning Channel-Wise Interactions for Binary Convolutional Neural "
        "Networks, CVPR 2019",
        formula="y'[o] = y[o] + U[o, p] * y[p], y[o] = mean |W_o| * sum(sign(W_o) * sign(x)): two "
        "kernels. The paper's influence is a step function of y[p] and its pairs (o, p) are found "
        "by reinforcement learning; here it is linear and p is the greatest of a learned row.",
        activation="clip",
        weight="interacting",
    )
)
