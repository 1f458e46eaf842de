"""The 1-bit convolution, composed from a method's parts."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.binary.method import find_method
from binvision.binary.parts import ACTIVATIONS, LOSSES, SCALES, WEIGHTS
from binvision.binary.registry import Spec
from binvision.errors import ConfigError, ExportError

__all__ = ["BinaryConv2d", "BinaryLinear"]

_MOST = 16  # bases and planes that a packed file may hold


class BinaryConv2d(nn.Module):
    """Convolution whose weights and activations are +-1, or short sums of +-1.

    Forward, for input x (N, C, H, W) and latent weights, in the parts of the method::

        y[n, o] = scale[o] * sum(weight(W[o]) * activation(x[n] + shift))

    ``shift`` is a learned offset per input channel (RSign of ReActNet, ECCV 2020, eq. 3), zero
    at first. Padding is put around the signs; zero padding is a true zero: taps outside the input
    add nothing. There is no bias; a batch norm is expected to follow.

    In evaluation mode each sum is taken over +-1 alone and scaled afterwards, so it is an exact
    integer in float32 and equals the packed runtime's bit for bit; of several bases, planes or
    taps, one after another in the runtime's order. In training all is multiplied into the weights
    and the input, which is the same function and touches fewer bytes.

    Args:
        in_channels: Input channels C.
        out_channels: Output channels O.
        kernel_size: Side of the square kernel.
        stride: Stride of the output.
        padding: Values around the input.
        dilation: Spacing of the taps.
        groups: Channel groups; must divide both channel counts.
        method: A key of :data:`binvision.binary.METHODS`, or such a preset with changes; see
            :func:`binvision.binary.find_method`.
        pad_value: What the padding holds: 0, or the sign 1 or -1 (Larq's ``pad_values``).

    Raises:
        ConfigError: ``method`` or a part of it is unknown, ``pad_value`` is neither 0, 1 nor -1,
            or is a sign where the activation has several planes.
    """

    last_input: Tensor
    last_output: Tensor

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
        method: Spec = "xnor",
        pad_value: int = 0,
    ) -> None:
        super().__init__()
        if pad_value not in (0, 1, -1):
            raise ConfigError(f"pad_value: expected 0, 1 or -1, got {pad_value!r}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.groups = dilation, groups
        self.method, self.pad_value = find_method(method), pad_value

        shape = (out_channels, in_channels // groups, kernel_size, kernel_size)
        parts = self.method
        for name in parts.losses:
            _ = LOSSES[name]  # refuses an unknown one
        self.activation = (
            ACTIVATIONS.build(parts.activation, in_channels) if parts.activation else None
        )
        self.quantizer = WEIGHTS.build(parts.weight, shape) if parts.weight else None
        if pad_value and self.activation is not None and len(self.activation.planes()[1]) > 1:
            raise ConfigError(f"pad_value {pad_value} with several planes: their padding is zero")
        latent = shape if self.quantizer is None else self.quantizer.latent_shape
        self.weight = nn.Parameter(torch.empty(latent))
        if self.quantizer is None:
            nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        else:
            with torch.no_grad():
                self.quantizer.start(self.weight)
        self.shift = nn.Parameter(torch.zeros(in_channels))
        with torch.no_grad():
            self.scale = SCALES.build(parts.scale, self.kernel()) if parts.scale else None

    @property
    def is_binary(self) -> bool:
        """Whether weights and activations are both +-1, or sums of +-1."""
        return self.activation is not None and self._has_binary_weights

    @property
    def _has_binary_weights(self) -> bool:
        return self.quantizer is not None and self.quantizer.is_binary

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x`` (N, C, H, W); returns (N, O, H', W') in the dtype of ``x``."""
        if self.is_binary and not self.training:
            y = self._exact(x)
        else:
            y = self._convolve(self.binarize_activation(x), self.binarize_weight())
        if self.scale is not None and self.scale.varies:
            y = y * self.scale.positions(self._shifted(x), y, self)
        if self.training and self.method.losses:
            self.last_input, self.last_output = x, y
        return y

    def _exact(self, x: Tensor) -> Tensor:
        """Sum exact integers, each scaled by its factor."""
        thresholds, coefficients = self._planes()
        signs, factors = self._bases()
        one, minus = torch.ones((), dtype=x.dtype), -torch.ones((), dtype=x.dtype)
        one, minus = one.to(x.device), minus.to(x.device)
        sums = []
        for threshold, coefficient in zip(thresholds, coefficients, strict=True):
            plane = torch.where(x >= threshold.view(-1, 1, 1), one, minus)
            for base, taps in zip(signs, factors, strict=True):
                for part, factor in zip(self._parts(base, len(taps)), taps, strict=True):
                    scale = (coefficient * factor).view(-1, 1, 1).to(x.dtype)
                    sums.append(self._convolve(plane, part) * scale)
        return functools.reduce(torch.add, sums)

    def _parts(self, base: Tensor, count: int) -> list[Tensor]:
        return [base] if count == 1 else _taps(base)

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        if self.pad_value:
            x = F.pad(x, [self.padding] * 4, value=float(self.pad_value))
        padding = 0 if self.pad_value else self.padding
        return F.conv2d(
            x, weight.to(x.dtype), None, self.stride, padding, self.dilation, self.groups
        )

    def binarize_activation(self, x: Tensor) -> Tensor:
        """Shift ``x`` and quantise it; a method of real activations only shifts."""
        x = self._shifted(x)
        return x if self.activation is None else self.activation(x)

    def _shifted(self, x: Tensor) -> Tensor:
        return x + self.shift.view(-1, 1, 1).to(x.dtype)

    def kernel(self) -> Tensor:
        """Return the real kernel (O, C / groups, KH, KW) behind the binary one."""
        return self.weight if self.quantizer is None else self.quantizer.expand(self.weight)

    def binarize_weight(self) -> Tensor:
        """Return the quantised and scaled kernel, with its gradient (``fp``: the weights)."""
        kernel = self.kernel()
        quantized = kernel if self.quantizer is None else self.quantizer(kernel)
        return quantized if self.scale is None else quantized * self.scale(kernel)

    def _planes(self) -> tuple[Tensor, Tensor]:
        """Thresholds (M, C) of the unshifted input, and coefficients (M,)."""
        assert self.activation is not None
        thresholds, coefficients = self.activation.planes()
        shift = self.shift.detach()
        return thresholds.detach().to(shift) - shift, coefficients.detach().to(shift)

    def _bases(self) -> tuple[Tensor, Tensor]:
        """Kernels (K, O, C / groups, KH, KW) of +-1, and their factors (K, T, O)."""
        assert self.quantizer is not None
        with torch.no_grad():
            kernel = self.kernel()
            signs, factors = self.quantizer.bases(kernel)
            if self.scale is not None:
                factors = factors * self.scale(kernel).flatten(1).t()
        return signs, factors

    def signs(self) -> tuple[Tensor, Tensor] | None:
        """Return the kernel as +-1, (O, C / groups, KH, KW), and a factor a channel, (O,).

        None where the kernel is real, or a sum, or has a factor for each tap.
        """
        if not self._has_binary_weights:
            return None
        signs, factors = self._bases()
        return (signs[0], factors.flatten()) if factors.shape[:2] == (1, 1) else None

    def folded(self) -> dict[str, Tensor]:
        """Return what a packed file stores of this layer.

        Returns:
            ``threshold`` float32 (C,), or (M, C) of several planes: a bit is ``x >= threshold``,
            exactly equal to ``x + shift >= 0`` where the plane's own threshold is zero; ``signs``
            int8 (K, O, C/groups, KH, KW) of +-1; ``scale`` float32 (O,), or (M, K, T, O) of several
            terms, with T = 1, or KH * KW where each tap has its own.

        Raises:
            ExportError: Weights or activations are real, as in method ``fp``.
        """
        if not self.is_binary:
            raise ExportError(
                f"method {self.method.name!r} keeps this layer real, so it has no 1-bit form; "
                f"export it as a real convolution or train with a binary method"
            )
        self.refuse_varying_scale()
        thresholds, coefficients = self._planes()
        signs, factors = self._bases()
        for name, count in (("planes", len(thresholds)), ("bases", len(signs))):
            if count > _MOST:
                raise ExportError(f"{count} {name}: a packed layer has {_MOST} at most")
        thresholds = thresholds.float().contiguous()
        scale = coefficients.float().view(-1, 1, 1, 1) * factors.float()
        return {
            "threshold": thresholds[0] if len(thresholds) == 1 else thresholds,
            "signs": signs.to(torch.int8),
            "scale": scale.flatten() if scale.shape[:3] == (1, 1, 1) else scale,
        }

    def refuse_varying_scale(self) -> None:
        """Refuse to pack a layer whose scale differs from position to position.

        Raises:
            ExportError: It does.
        """
        if self.scale is not None and self.scale.varies:
            raise ExportError(
                f"method {self.method.name!r} scales each position of the output, which has no "
                f"packed form: train with a scale of output channels, as in method 'xnor'"
            )

    def extra_repr(self) -> str:
        """Return the line that ``print(model)`` shows for this layer."""
        return (
            f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, groups={self.groups}, method={self.method.name}"
        )


class BinaryLinear(BinaryConv2d):
    """A fully connected layer of 1-bit weights on 1-bit inputs: a 1x1 convolution of one pixel.

    Args:
        in_features: Inputs C.
        out_features: Outputs O.
        method: A key of :data:`binvision.binary.METHODS`, or such a preset with changes.
    """

    def __init__(self, in_features: int, out_features: int, *, method: Spec = "xnor") -> None:
        super().__init__(in_features, out_features, 1, method=method)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` (N, C) to (N, O)."""
        return super().forward(x[:, :, None, None]).flatten(1)

    def extra_repr(self) -> str:
        """Return the line that ``print(model)`` shows for this layer."""
        return f"{self.in_channels}, {self.out_channels}, method={self.method.name}"


def _taps(weight: Tensor) -> list[Tensor]:
    """Return kernels (O, C, KH, KW) with one tap of ``weight`` each, zero elsewhere."""
    rows, columns = weight.shape[2:]
    alone = torch.eye(rows * columns, dtype=weight.dtype, device=weight.device)
    return [weight * tap.view(rows, columns) for tap in alone]
