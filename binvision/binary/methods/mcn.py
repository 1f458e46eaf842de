"""Modulated convolutional networks: binary filters under a shared plane for each output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.estimators import sign, sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer

__all__ = ["ModulatedWeight"]


@WEIGHTS.register("modulated")
class ModulatedWeight(WeightQuantizer):
    """Each binary filter stands for K filters, each modulated by a plane of the M-Filter.

    ::

        Q[i * K + j] = sign(C[i]) * M[j]

    with a learned plane M[j] (KH, KW) of positive numbers, shared by all filters of the layer and
    all input channels. So every output has a scale for each tap. The gradient of the sign is
    clipped. The M-Filter starts at the mean magnitude of a filter.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        planes: Planes K of the M-Filter.
    """

    def __init__(self, shape: tuple[int, ...], planes: int = 4) -> None:
        super().__init__(shape)
        outputs, inputs, *sides = shape
        self._outputs, self._planes = outputs, planes
        self.latent_shape = (-(-outputs // planes), inputs, *sides)
        # Of a normal filter of variance 2 / n, times sqrt(2 / pi). Unequal planes tell the K
        # outputs of a filter apart from the first step on.
        size = (4 / torch.pi / (inputs * sides[0] * sides[1])) ** 0.5
        self.modulation = nn.Parameter(size * (1 + 0.2 * torch.randn(planes, *sides)))

    def expand(self, latent: Tensor) -> Tensor:
        """Return the real kernel (O, C / groups, KH, KW): each filter K times."""
        return latent.repeat_interleave(self._planes, dim=0)[: self._outputs]

    def forward(self, kernel: Tensor) -> Tensor:
        """Return Q, (O, C / groups, KH, KW)."""
        return sign_clip(kernel) * self._taps(len(kernel)).unsqueeze(1)

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs (1, O, C / groups, KH, KW) and factors (1, KH * KW, O)."""
        taps = self._taps(len(kernel)).flatten(1)
        return sign(kernel)[None], taps.t().unsqueeze(0)

    def _taps(self, outputs: int) -> Tensor:
        """The plane of each output, (O, KH, KW)."""
        count = -(-outputs // self._planes)
        return self.modulation.repeat(count, 1, 1)[:outputs]


_PAPER = "Wang et al., Modulated Convolutional Networks, CVPR 2018"
_LOSS = (
    "loss + ||C - sign(C) M||^2 / 2, and of a classifier's features f + lambda/2 ||f - c||^2 with "
    "the centre c of the class learned"
)
_CENTRES = {"model": {"features": {"type": "centre", "weight": 1e-3}}}
register_method(
    Method(
        name="mcn",
        kind="quantiser",
        title="MCN, M-Filters of four planes",
        paper=_PAPER,
        formula="y[4 i + j] = sum over taps t of M_j[t] * sum(sign(C_i[t]) * sign(x[t])), M "
        f"learned; {_LOSS}. The filter of a quarter of the outputs is learned. A scale for each "
        "tap, which packs exactly.",
        activation="clip",
        weight="modulated",
        losses={"kernel": 1e-4},
        config=_CENTRES,
    )
)
register_method(
    Method(
        name="mcn_weights",
        kind="quantiser",
        title="MCN, weights alone",
        paper=_PAPER,
        formula=f"y[4 i + j] = sum(sign(C_i) * M_j * x), M learned; {_LOSS}. Real convolution at "
        "inference.",
        activation=None,
        weight="modulated",
        losses={"kernel": 1e-4},
        config=_CENTRES,
    )
)
