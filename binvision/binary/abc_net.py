"""A convolution of several binary bases and several binary activation planes."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.binary.estimators import sign
from binvision.errors import ConfigError

__all__ = ["ABCConv2d"]

_MOST = 16  # bases and planes that a packed file may hold


class ABCConv2d(nn.Module):
    """Sums of binary convolutions in place of a real one (Lin et al., ABC-Net, NeurIPS 2017).

    Forward, for input x (N, C, H, W) and latent weights W (O, C / groups, KH, KW), output channel
    by output channel::

        B[k] = sign(W - mean(W) + u[k] * std(W))    u from -1 to 1, evenly    (section 3.1)
        a    = argmin |W - sum_k a[k] B[k]|^2
        A[m] = sign(x + shift[m])                                             (section 3.2)
        y    = sum_m sum_k beta[m] * a[k] * conv(B[k], A[m])

    ``beta`` and ``shift`` are learned; the paper's v is ``shift + 0.5``. The gradient passes
    through each B as it is, with ``a`` held constant, and through A where ``|x + shift| <= 0.5``.
    The approximation is channel-wise, the paper's finer variant. Each base and plane costs one
    binary convolution more. Padding is zero.

    In evaluation mode each binary convolution is an exact integer, scaled and added in the packed
    runtime's order, so that both agree bit for bit.

    Args:
        in_channels: Input channels C.
        out_channels: Output channels O.
        kernel_size: Side of the square kernel.
        stride: Stride of the output.
        padding: Zeros around the input.
        dilation: Spacing of the taps.
        groups: Channel groups; must divide both channel counts.
        bases: Binary kernels K, 1 to 16.
        planes: Binary planes M of the input, 1 to 16.

    Raises:
        ConfigError: ``bases`` or ``planes`` is out of range.
    """

    spread: Tensor

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
        bases: int = 3,
        planes: int = 3,
    ) -> None:
        super().__init__()
        for name, value in (("bases", bases), ("planes", planes)):
            if not 1 <= value <= _MOST:
                raise ConfigError(f"{name}: expected 1 to {_MOST}, got {value}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.groups, self.bases, self.planes = dilation, groups, bases, planes
        self.weight = nn.Parameter(
            torch.empty(out_channels, in_channels // groups, kernel_size, kernel_size)
        )
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        spread = torch.linspace(-1, 1, bases) if bases > 1 else torch.zeros(1)
        self.register_buffer("spread", spread, persistent=False)
        self.shift = nn.Parameter(-(torch.arange(planes) + 0.5) / planes)
        self.beta = nn.Parameter(torch.full((planes,), 1 / planes))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x`` (N, C, H, W); returns (N, O, H', W') in the dtype of ``x``."""
        planes, bases = self.binarize_activation(x), self.binarize_weight()
        if self.training:  # both sums before the convolution, which is linear in each
            blend = (self.beta.view(-1, 1, 1, 1, 1).to(x.dtype) * planes).sum(0)
            return self._convolve(blend, (self.coefficients(bases) * bases).sum(0))
        scale = self.scale(bases).to(x.dtype)
        sums = [
            self._convolve(plane, base) * scale[m, k].view(-1, 1, 1)
            for m, plane in enumerate(planes)
            for k, base in enumerate(bases)
        ]
        return functools.reduce(torch.add, sums)

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(
            x, weight.to(x.dtype), None, self.stride, self.padding, self.dilation, self.groups
        )

    def scale(self, bases: Tensor) -> Tensor:
        """Return ``beta[m] * a[k]`` for the ``bases``, (M, K, O)."""
        return self.beta.view(-1, 1, 1) * self.coefficients(bases).view(1, self.bases, -1)

    def binarize_weight(self) -> Tensor:
        """Return the bases B, (K, O, C / groups, KH, KW) of +-1; each passes its gradient on."""
        weight = self.weight.detach()
        mean = weight.mean(dim=(1, 2, 3), keepdim=True)
        deviation = weight.std(dim=(1, 2, 3), keepdim=True, correction=0)
        signs = sign(weight - mean + self.spread.view(-1, 1, 1, 1, 1) * deviation)
        return signs + (self.weight - weight)

    def coefficients(self, signs: Tensor) -> Tensor:
        """Return ``a`` for the bases ``signs``, (K, O, 1, 1, 1), without gradient.

        Where bases coincide, the smallest of the equally good solutions is taken.
        """
        bases = signs.detach().double().flatten(2).transpose(0, 1)  # O, K, n
        weight = self.weight.detach().double().flatten(1).unsqueeze(2)
        gram = bases @ bases.transpose(1, 2)
        solution = torch.linalg.pinv(gram, hermitian=True) @ (bases @ weight)
        return solution.squeeze(2).t().reshape(self.bases, -1, 1, 1, 1).to(self.weight.dtype)

    def binarize_activation(self, x: Tensor) -> Tensor:
        """Return the planes A, (M, N, C, H, W) of +-1."""
        shifted = x + self.shift.view(-1, 1, 1, 1, 1).to(x.dtype)
        passing = shifted.clamp(-0.5, 0.5)
        return passing + (sign(shifted) - passing).detach()

    def folded(self) -> dict[str, Tensor]:
        """Return what a packed file stores of this layer.

        Returns:
            ``threshold`` float32 (M, C); ``signs`` int8 (K, O, C / groups, KH, KW) of +-1;
            ``scale`` float32 (M, K, 1, O).
        """
        signs = self.binarize_weight().detach()
        threshold = -self.shift.detach().float().view(-1, 1).expand(-1, self.in_channels)
        return {
            "threshold": threshold.contiguous(),
            "signs": sign(signs).to(torch.int8),
            "scale": self.scale(signs).detach().float().unsqueeze(2),
        }

    def extra_repr(self) -> str:
        """Return the line that ``print(model)`` shows for this layer."""
        return (
            f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, bases={self.bases}, planes={self.planes}"
        )
