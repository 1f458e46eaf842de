"""Circulant binary convolution: filters turned about their centre."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.estimators import sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, SignWeight

__all__ = ["CirculantWeight"]


@WEIGHTS.register("circulant")
class CirculantWeight(SignWeight):
    """Each learned filter stands for itself and its rotations (CBCN's circulant filters).

    ::

        W[o * M + m] = C[o] turned by m of M parts of a full turn,  w(W) = sign(W)

    The taps on each square ring about the centre move along the ring; the ring of a 3x3 filter has
    eight taps, so that M = 4 turns it by right angles and M = 8 by halves of one. The gradient of C
    is the sum of its rotations' gradients, each turned back (circulant back propagation). The
    gradient of the sign is clipped. A 1x1 filter has no rotations and stays as it is.

    Args:
        shape: Shape (O, C / groups, K, K) of the kernel.
        turns: Rotations M of each learned filter.
    """

    index: Tensor

    def __init__(self, shape: tuple[int, ...], turns: int = 4) -> None:
        super().__init__(shape, sign_clip)
        outputs, inputs, *sides = shape
        self._turns = turns if min(sides) > 1 else 1
        self._outputs = outputs
        self.latent_shape = (-(-outputs // self._turns), inputs, *sides)
        index = torch.stack([_turned(sides[0], turn, self._turns) for turn in range(self._turns)])
        self.register_buffer("index", index, persistent=False)

    def expand(self, latent: Tensor) -> Tensor:
        """Return the kernel (O, C / groups, K, K) of the filters and their rotations."""
        if self._turns == 1:
            return latent
        turned = latent.flatten(2)[:, :, self.index]  # O / M, C / groups, M, K * K
        kernel = turned.transpose(1, 2).reshape(-1, *latent.shape[1:])
        return kernel[: self._outputs]


def _turned(side: int, turn: int, turns: int) -> Tensor:
    """For each tap of a square window, row by row, the tap that moves there."""
    source = torch.arange(side * side).view(side, side)
    result = source.clone()
    for inset in range(side // 2):
        last = side - 1 - inset
        ring = (
            [(inset, i) for i in range(inset, last)]
            + [(i, last) for i in range(inset, last)]
            + [(last, i) for i in range(last, inset, -1)]
            + [(i, inset) for i in range(last, inset, -1)]
        )
        shift = round(len(ring) * turn / turns)
        for place, (row, column) in enumerate(ring):
            result[row, column] = source[ring[place - shift]]
    return result.flatten()


register_method(
    Method(
        name="cbcn",
        kind="quantiser",
        title="CBCN, four rotations of each filter",
        paper="Liu et al., Circulant Binary Convolutional Networks: Enhancing the Performance of "
        "1-Bit DCNNs With Circulant Back Propagation, CVPR 2019 (arXiv 1910.10853)",
        formula="y[4 o + m] = mean |W| * sum(sign(W) * sign(x)), W = C_o turned by m right angles; "
        "the gradient of C_o is the sum over m of the gradients of W, turned back. A quarter of "
        "the weights is learned.",
        activation="clip",
        weight="circulant",
        scale="mean",
    )
)
