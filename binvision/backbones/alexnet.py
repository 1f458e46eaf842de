"""The backbone of the SiamFC paper, binarised as RBCN does it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from binvision.binary import BinaryConv2d, QuantConv2d, Spec

__all__ = ["AlexNetBackbone"]


class AlexNetBackbone(nn.Module):
    """AlexNet without padding (Bertinetto et al., 2016, table 1), layers two to five 1-bit.

    The first convolution stays real. Batch norm comes before each sign, so that the sign sees
    centred values; the float twin has a ReLU where the binary network has its sign. Exemplars of
    127 pixels give 6x6 features, search regions of 255 give 22x22; total stride 8.

    Args:
        method: Binarisation method of layers two to five; ``fp`` gives the float twin.
        width: Multiplier of all channel counts.
    """

    stride = 8

    def __init__(self, method: Spec, *, width: float = 1.0) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (int(width * c) for c in (96, 256, 384, 384, 256))
        self.out_channels = c5
        self.real = method == "fp"
        self.conv1, self.norm1 = QuantConv2d(3, c1, 11, 2), nn.BatchNorm2d(c1)
        self.conv2 = BinaryConv2d(c1, c2, 5, groups=2, method=method)
        self.norm2 = nn.BatchNorm2d(c2)
        self.conv3 = BinaryConv2d(c2, c3, 3, method=method)
        self.norm3 = nn.BatchNorm2d(c3)
        self.conv4 = BinaryConv2d(c3, c4, 3, groups=2, method=method)
        self.norm4 = nn.BatchNorm2d(c4)
        self.conv5 = BinaryConv2d(c4, c5, 3, groups=2, method=method)
        self.norm5 = nn.BatchNorm2d(c5)

    def forward(self, x: Tensor) -> Tensor:
        """Map pixels (N, 3, H, W) in 0..255 to features (N, out_channels, H', W')."""
        return self.stages(x)[-1]

    def stages(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of layers two to five: what guidance compares."""
        x = self._relu(F.max_pool2d(self.norm1(self.conv1(x)), 3, 2))
        x2 = self._relu(F.max_pool2d(self.norm2(self.conv2(x)), 3, 2))
        x3 = self._relu(self.norm3(self.conv3(x2)))
        x4 = self._relu(self.norm4(self.conv4(x3)))
        x5 = self.norm5(self.conv5(x4))
        return [x2, x3, x4, x5]

    def _relu(self, x: Tensor) -> Tensor:
        return F.relu(x) if self.real else x
