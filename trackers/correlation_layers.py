"""Cross-correlations of exemplars with search regions, as layers without weights."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ChannelCorrelation", "PixelCorrelation"]


class ChannelCorrelation(nn.Module):
    """Correlate channel by channel (Li et al., SiamRPN++, CVPR 2019, section 3.4).

    ::

        y[n, c, i, j] = 1/k^2 * sum over a, b of
                        exemplar[n, c, a, b] * x[n, c, s i + a - k // 2, s j + b - k // 2]

    with zeros around x.

    Args:
        stride: Spacing s of the places.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, search: Tensor, exemplar: Tensor) -> Tensor:
        """Map (N, C, h, w) and (N, C, k, k), k odd, to (N, C, ceil(h / s), ceil(w / s))."""
        n, c, height, width = search.shape
        side = exemplar.shape[-1]
        y = F.conv2d(
            search.reshape(1, n * c, height, width),
            exemplar.reshape(n * c, 1, side, side),
            stride=self.stride,
            padding=side // 2,
            groups=n * c,
        )
        return y.view(n, c, *y.shape[-2:]) / side**2


class PixelCorrelation(nn.Module):
    """Correlate each pixel with each (Yan et al., Alpha-Refine, CVPR 2021, section 3.2).

    ::

        y[n, a k + b, i, j] = 1/C * sum over c of exemplar[n, c, a, b] * x[n, c, i, j]
    """

    def forward(self, search: Tensor, exemplar: Tensor) -> Tensor:
        """Map (N, C, h, w) and (N, C, k, k) to (N, k * k, h, w)."""
        n, c, height, width = search.shape
        y = exemplar.flatten(2).transpose(1, 2) @ search.flatten(2)
        return y.view(n, -1, height, width) / c
