"""Group-Net's layer-wise decomposition: several binary branches of one convolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.estimators import sign, sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer

__all__ = ["BranchedWeight"]


@WEIGHTS.register("branches")
class BranchedWeight(WeightQuantizer):
    """K binary kernels, each with real weights of its own, and their learned coefficients.

    ::

        w = sum over k of lambda[k] * mean |W[k]| * sign(W[k])

    A sum of K homogeneous branches on the same signs. The latent weights are all kernels, one after
    another, (K * O, C / groups, KH, KW). The gradient of the sign is clipped; the mean is a
    constant to it. ``lambda`` starts at 1 / K.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        branches: Kernels K, 1 to 16.
    """

    def __init__(self, shape: tuple[int, ...], branches: int = 4) -> None:
        super().__init__(shape)
        self._branches = branches
        self.latent_shape = (branches * shape[0], *shape[1:])
        self.coefficients = nn.Parameter(torch.full((branches,), 1 / branches))

    def forward(self, kernel: Tensor) -> Tensor:
        """Sum the branches of ``kernel`` (K * O, ...) to (O, C / groups, KH, KW)."""
        scaled = sign_clip(kernel) * kernel.detach().abs().mean((1, 2, 3), keepdim=True)
        return (self.coefficients.view(-1, 1, 1, 1, 1) * self._split(scaled)).sum(0)

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs (K, O, C / groups, KH, KW) and coefficients (K, 1, O)."""
        branches = self._split(kernel)
        means = branches.abs().mean((2, 3, 4))
        return sign(branches), (self.coefficients.unsqueeze(1) * means).unsqueeze(1)

    def _split(self, kernel: Tensor) -> Tensor:
        return kernel.view(self._branches, -1, *kernel.shape[1:])


register_method(
    Method(
        name="group",
        kind="quantiser",
        title="Group-Net, four branches in each layer",
        paper="Zhuang et al., Structured Binary Neural Networks for Accurate Image Classification "
        "and Semantic Segmentation, CVPR 2019 (arXiv 1811.10413)",
        formula="y[o] = sum over k of lambda_k * mean |W_k,o| * sum(sign(W_k,o) * sign(x)), lambda "
        "learned: the layer-wise decomposition, K = 4 kernels on one plane",
        activation="polynomial",
        weight="branches",
    )
)
