"""Deterministic binary filters: combinations of a fixed orthogonal basis of +-1."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.estimators import sign, sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer
from binvision.binary.steps import unrounded

__all__ = ["CodeWeight", "codes"]


@WEIGHTS.register("codes")
class CodeWeight(WeightQuantizer):
    """Filters in the span of orthogonal variable spreading factor (OVSF) codes.

    ::

        W[o] = sum over j of alpha[o, j] * b[j] / sqrt(n),  w(W) = W, or sign(W)

    b are ``share`` of the codes of the least power of two that holds a filter, a 3x3 window being
    the corner of a 4x4 one; n is the number of taps of a filter. alpha are the latent weights: what
    a model learns and stores of a layer. The codes are made, not stored.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        share: Share of the codes.
        binary: Whether to take the signs, with clipped gradients, instead of the real filters.
    """

    basis: Tensor

    def __init__(self, shape: tuple[int, ...], share: float = 0.25, binary: bool = False) -> None:
        super().__init__(shape)
        self.is_binary = binary
        basis = codes(shape[1:], share) / (shape[1] * shape[2] * shape[3]) ** 0.5
        self.register_buffer("basis", basis, persistent=False)
        self.latent_shape = (shape[0], len(basis), 1, 1)

    def expand(self, latent: Tensor) -> Tensor:
        """Return the filters (O, C / groups, KH, KW)."""
        with unrounded(latent):
            return torch.einsum("oj,jchw->ochw", latent.flatten(1), self.basis)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the filters or their signs."""
        return sign_clip(kernel) if self.is_binary else kernel

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs (1, O, C / groups, KH, KW) and ones."""
        return sign(kernel)[None], kernel.new_ones(1, 1, len(kernel))


def codes(shape: tuple[int, ...], share: float) -> Tensor:
    """Return codes of +-1 for filters of ``shape`` (C / groups, KH, KW), (J, *shape).

    They are rows of a Hadamard matrix, the OVSF codes of the last level of the tree, cut to the
    filter. Which rows is decided once for all by a fixed seed: rows that follow one another repeat
    their first channels, or their first taps, in all others.
    """
    channels, rows, columns = (1 << (side - 1).bit_length() for side in shape)
    length = channels * rows * columns
    generator = torch.Generator().manual_seed(length)
    chosen = torch.randperm(length, generator=generator)[: max(1, round(share * length))]
    # An entry of the matrix is the parity of the bits that row and column have in common.
    common = chosen.sort().values.unsqueeze(1) & torch.arange(length)
    parity = torch.zeros_like(common)
    for bit in range(length.bit_length()):
        parity ^= (common >> bit) & 1
    matrix = (1 - 2 * parity).float().view(-1, channels, rows, columns)
    return matrix[:, : shape[0], : shape[1], : shape[2]].contiguous()


_PAPER = "Tseng et al., Deterministic Binary Filters for Convolutional Neural Networks, IJCAI 2018"
_SPAN = "W_o = sum over j of alpha[o, j] b_j, b_j fixed orthogonal codes of +-1 (a quarter of them)"
register_method(
    Method(
        name="dbf",
        kind="training",
        title="Deterministic binary filters",
        paper=_PAPER,
        formula=f"y[o] = sum(W_o * x), {_SPAN}, alpha learned. A real convolution at inference.",
        activation=None,
        weight="codes",
    )
)
register_method(
    Method(
        name="dbf_signs",
        kind="training",
        title="Deterministic binary filters, and their signs",
        paper=_PAPER,
        formula=f"y[o] = mean |W_o| * sum(sign(W_o) * sign(x)), {_SPAN}, alpha learned: the "
        "paper's filters made 1-bit, for comparison",
        activation="clip",
        weight={"type": "codes", "binary": True},
        scale="mean",
    )
)
