"""Local binary convolution: fixed sparse filters, which learned points combine."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer

__all__ = ["AnchorWeight"]


@WEIGHTS.register("anchor")
class AnchorWeight(WeightQuantizer):
    """Fixed filters of few +-1 and many zeros (LBCNN's anchor weights, section 3.1).

    ::

        b[o] = sign(W[o]) at the ``density`` of taps where |W[o]| is greatest, else 0
             = B[0] / 2 + B[1] / 2,  kernels of +-1 that differ where b is 0

    W is drawn once from the normal distribution and never trained, so that the places are uniform
    and the signs Bernoulli. What is learned is the 1x1 convolution that follows, in block ``lbc``.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        density: Share of taps that are not zero.
    """

    def __init__(self, shape: tuple[int, ...], density: float = 0.5) -> None:
        super().__init__(shape)
        self._zeros = round((1 - density) * shape[1] * shape[2] * shape[3])

    def start(self, latent: Tensor) -> None:
        """Draw the filters, and keep them from being trained."""
        super().start(latent)
        latent.requires_grad_(False)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the filters, (O, C / groups, KH, KW)."""
        kernel = kernel.detach()
        return torch.where(self._kept(kernel), torch.where(kernel >= 0, 1.0, -1.0), 0.0).to(kernel)

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return two kernels of +-1 and their coefficients 1/2."""
        codes = self(kernel)
        return torch.stack([codes - 0.5, codes + 0.5]).sign(), kernel.new_full(
            (2, 1, len(kernel)), 0.5
        )

    def _kept(self, kernel: Tensor) -> Tensor:
        if self._zeros == 0:
            return torch.ones_like(kernel, dtype=torch.bool)
        magnitude = kernel.abs().flatten(1)
        largest_zero = magnitude.kthvalue(self._zeros, dim=1).values
        return kernel.abs() > largest_zero.view(-1, 1, 1, 1)


register_method(
    Method(
        name="lbcnn",
        kind="structure",
        title="LBCNN",
        paper="Juefei-Xu, Boddeti & Savvides, Local Binary Convolutional Neural Networks, CVPR "
        "2017 (arXiv 1608.06049)",
        formula="y[o] = x + sum over m of V[o, m] * ReLU(sum(b_m * BN(x))), b fixed and of -1, 0 "
        "and +1, V learned. Activations are real; at inference a real convolution of weights -1, "
        "0 and 1, then a real 1x1.",
        activation=None,
        weight="anchor",
        config={"model": {"network": {"backbone": {"block": "lbc"}}}},
    )
)
