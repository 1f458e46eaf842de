"""The 1-bit convolution, composed from a method's parts."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.binary.estimators import ESTIMATORS, sign
from binvision.binary.methods import find_method
from binvision.errors import ConfigError, ExportError

__all__ = ["BinaryConv2d"]


class BinaryConv2d(nn.Module):
    """Convolution whose weights and activations are +-1 (except in method ``fp``).

    Forward, for input x (N, C, H, W) and latent weights W (O, C/groups, KH, KW)::

        y[n, o] = scale[o] * sum(sign(W[o]) * sign(x[n] + shift))

    ``shift`` is a learned offset per input channel (RSign of ReActNet, ECCV 2020, eq. 3), zero
    at first. Padding is put around the signs; zero padding is a true zero: taps outside the input
    add nothing. There is no bias; a batch norm is expected to follow.

    In evaluation mode the sum is taken over +-1 alone and scaled afterwards, so it is an exact
    integer in float32 and equals the packed runtime's bit for bit; where each tap has a scale of
    its own, tap by tap. In training the scale is multiplied into the weights, which is the same
    function and touches fewer bytes.

    Args:
        in_channels: Input channels C.
        out_channels: Output channels O.
        kernel_size: Side of the square kernel.
        stride: Stride of the output.
        padding: Values around the input.
        dilation: Spacing of the taps.
        groups: Channel groups; must divide both channel counts.
        method: A key of :data:`binvision.binary.METHODS`.
        pad_value: What the padding holds: 0, or the sign 1 or -1 (Larq's ``pad_values``).

    Raises:
        ConfigError: ``method`` is unknown, or ``pad_value`` is neither 0, 1 nor -1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        *,
        method: str = "xnor",
        pad_value: int = 0,
    ) -> None:
        super().__init__()
        if pad_value not in (0, 1, -1):
            raise ConfigError(f"pad_value: expected 0, 1 or -1, got {pad_value!r}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.groups = dilation, groups
        self.method, self.pad_value = find_method(method), pad_value

        self.weight = nn.Parameter(
            torch.empty(out_channels, in_channels // groups, kernel_size, kernel_size)
        )
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        self.shift = nn.Parameter(torch.zeros(in_channels))
        if self.method.scale in ("learned", "learned_taps"):
            taps = (kernel_size, kernel_size) if self.method.scale == "learned_taps" else (1, 1)
            start = self._mean_magnitude().detach().expand(-1, -1, *taps)
            self.rectification = nn.Parameter(start.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x`` (N, C, H, W); returns (N, O, H', W') in the dtype of ``x``."""
        x = self.binarize_activation(x)
        if self.pad_value:
            x = F.pad(x, [self.padding] * 4, value=float(self.pad_value))
        weight = self.binarize_weight()
        scale = self.scale()
        if scale is None:
            return self._convolve(x, weight)
        if self.training:
            return self._convolve(x, weight * scale)
        # One exact sum for each scale: for the whole window, or for each of its taps in turn.
        parts = [weight] if scale[0].numel() == 1 else _taps(weight)
        scales = scale.flatten(2).permute(2, 0, 1).unsqueeze(-1).to(x.dtype)
        sums = [self._convolve(x, part) * s for part, s in zip(parts, scales, strict=True)]
        return functools.reduce(torch.add, sums)

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        padding = 0 if self.pad_value else self.padding
        return F.conv2d(
            x, weight.to(x.dtype), None, self.stride, padding, self.dilation, self.groups
        )

    def binarize_activation(self, x: Tensor) -> Tensor:
        """Shift ``x`` and take its sign; method ``fp`` only shifts."""
        x = x + self.shift.view(-1, 1, 1).to(x.dtype)
        return x if self.method.activation is None else ESTIMATORS[self.method.activation](x)

    def binarize_weight(self) -> Tensor:
        """Return the +-1 weights with their gradient estimator (``fp``: the weights)."""
        if self.method.weight is None:
            return self.weight
        return ESTIMATORS[self.method.weight](self.weight)

    def scale(self) -> Tensor | None:
        """Return the scale per output channel, (O, 1, 1, 1), or None where it is one.

        In method ``rbcn_matrix`` it is one for each tap, (O, 1, KH, KW).
        """
        match self.method.scale:
            case "mean":
                return self._mean_magnitude()
            case "mean_constant":
                return self._mean_magnitude().detach()
            case "learned" | "learned_taps":
                return self.rectification
            case _:
                return None

    def kernel_loss(self) -> Tensor:
        """RBCN's reconstruction error ``sum((W - C sign(W))^2) / 2``, a scalar.

        The gradient is that of the written formula, with the estimator's slope for the sign:
        the paper's update of W (its term through sign(W)) plus the direct term, which draws
        W towards +-C.
        """
        error = self.weight - self.rectification * self.binarize_weight()
        return 0.5 * error.square().sum()

    def folded(self) -> dict[str, Tensor]:
        """Return what a packed file stores of this layer.

        Returns:
            ``threshold`` float32 (C,): the activation bit is ``x >= threshold``, exactly equal
            to ``x + shift >= 0``; ``signs`` int8 (O, C/groups, KH, KW) of +-1; ``scale``
            float32 (O,), or (1, 1, KH * KW, O) where each tap has its own.

        Raises:
            ExportError: The layer is real-valued (method ``fp``).
        """
        if not self.method.is_binary:
            raise ExportError(
                f"method {self.method.name!r} keeps this layer real, so it has no 1-bit form; "
                f"export it as a real convolution or train with a binary method"
            )
        scale = self.scale()
        scale = torch.ones(self.out_channels, 1) if scale is None else scale.detach().float()
        by_tap = scale.flatten(1).t().contiguous()
        return {
            "threshold": -self.shift.detach().float(),
            "signs": sign(self.weight.detach()).to(torch.int8),
            "scale": by_tap[None, None] if self.method.scale == "learned_taps" else by_tap[0],
        }

    def extra_repr(self) -> str:
        """Return the line that ``print(model)`` shows for this layer."""
        return (
            f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, groups={self.groups}, method={self.method.name}"
        )

    def _mean_magnitude(self) -> Tensor:
        return self.weight.abs().mean(dim=(1, 2, 3), keepdim=True)


def _taps(weight: Tensor) -> list[Tensor]:
    """Return kernels (O, C, KH, KW) with one tap of ``weight`` each, zero elsewhere."""
    rows, columns = weight.shape[2:]
    alone = torch.eye(rows * columns, dtype=weight.dtype, device=weight.device)
    return [weight * tap.view(rows, columns) for tap in alone]
