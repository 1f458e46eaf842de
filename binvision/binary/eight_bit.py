"""Real convolutions inside a network, with weights and activations of eight bits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EightBitConv2d"]

_LEAST, _GREATEST = -128, 127


class EightBitConv2d(nn.Module):
    """A trained convolution whose input and weights are rounded to eight bits.

    Forward, for activations x (N, C, H, W) and the weights W (O, C / groups, KH, KW) of the
    convolution it is made from, with r[c] the largest ``|x[c]|`` that was seen::

        levels[c] = 127 / r[c]
        a[c]      = clamp(round(x[c] * levels[c]), -128, 127)
        V[o, c]   = W[o, c] / levels[c]
        step[o]   = max |V[o]| / 127
        y[o]      = step[o] * sum(round(V[o] / step[o]) * a) + bias[o]

    Channels of small range keep all their levels, since what divides the activation multiplies the
    weight (Nagel et al., A White Paper on Neural Network Quantization, 2021, arXiv 2106.08295,
    section 2.4). Sums of up to about 1000 taps are exact in float32, as in
    :class:`~binvision.binary.QuantConv2d`. It is not for training: rounding has no gradient here.

    Args:
        conv: The convolution; zero padding only.
        largest: (C,) largest magnitude of each input channel; a channel that was always zero
            may hold 0.
    """

    levels: Tensor
    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d, largest: Tensor) -> None:
        super().__init__()
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        self.kernel_size, self.stride, self.padding = conv.kernel_size, conv.stride, conv.padding
        self.dilation, self.groups = conv.dilation, conv.groups
        levels = _GREATEST / largest.detach().float().clamp(min=1e-6)
        # Input channel of each weight: the groups take the channels one after another.
        by_output = levels.view(conv.groups, 1, -1, 1, 1).expand(
            -1, conv.out_channels // conv.groups, -1, 1, 1
        )
        scaled = conv.weight.detach().double() / by_output.reshape(conv.out_channels, -1, 1, 1)
        step = scaled.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12) / _GREATEST
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        self.register_buffer("levels", levels)
        self.register_buffer("weight", (scaled / step).round().float())
        self.register_buffer("scale", step.flatten().float())
        self.register_buffer("bias", bias.clone().float())

    def forward(self, x: Tensor) -> Tensor:
        """Convolve float activations ``x`` (N, C, H, W); returns (N, O, H', W')."""
        rounded = (x.float() * self.levels.view(-1, 1, 1)).round().clamp(_LEAST, _GREATEST)
        y = F.conv2d(
            rounded, self.weight, None, self.stride, self.padding, self.dilation, self.groups
        )
        return y * self.scale.view(-1, 1, 1) + self.bias.view(-1, 1, 1)

    def extra_repr(self) -> str:
        """Return the line that ``print(model)`` shows for this layer."""
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, stride={self.stride}"
