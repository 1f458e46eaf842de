"""The first convolution: real activations, weights of eight bits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["QuantConv2d"]

_LEVELS = 127


class QuantConv2d(nn.Module):
    """Convolution on 8-bit pixels with 8-bit weights, computed exactly.

    Forward, for pixels x (N, C, H, W) in 0..255 and latent weights W (O, C, KH, KW)::

        step[o] = max |W[o]| / 127
        q[o]    = round(W[o] / step[o])            integers in -127..127
        y[n, o] = step[o] * sum(q[o] * (x[n] - offset))

    With an integer offset every product and partial sum is an integer, below 2^24 for up to
    about 1000 taps of +-128 by +-127; float32 then adds them exactly in any order. So the torch
    model and the packed runtime agree to the last bit in front of the first sign, where a
    rounding difference would otherwise flip a bit. Padding is zero after the subtraction, that
    is, mid-grey. The rounding passes the gradient straight through.

    Args:
        in_channels: Input channels C.
        out_channels: Output channels O.
        kernel_size: Side of the square kernel.
        stride: Stride of the output.
        padding: Mid-grey pixels around the input.
        offset: Integer taken from every pixel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        *,
        offset: int = 128,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.offset = offset
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Convolve pixels ``x`` (N, C, H, W) in 0..255; returns (N, O, H', W')."""
        step = self.step()
        real = self.weight / step
        integer = real + (real.round() - real).detach()
        y = F.conv2d(x - self.offset, integer.to(x.dtype), None, self.stride, self.padding)
        return y * step.view(-1, 1, 1).to(y.dtype)

    def step(self) -> Tensor:
        """Return the size of one weight level per output channel, (O, 1, 1, 1)."""
        largest = self.weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True)
        return largest.clamp(min=1e-8) / _LEVELS

    def folded(self) -> dict[str, Tensor]:
        """Return ``weight`` int8 (O, C, KH, KW) and ``scale`` float32 (O,) for a packed file."""
        step = self.step()
        return {
            "weight": (self.weight.detach() / step).round().to(torch.int8),
            "scale": step.flatten().float(),
        }

    def extra_repr(self) -> str:
        """Return the line that ``print(model)`` shows for this layer."""
        return (
            f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, offset={self.offset}"
        )
