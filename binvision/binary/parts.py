"""What a binarisation method is composed of: quantisers of activations and weights, scales, losses.

At inference a 1-bit convolution is a short sum of XNOR convolutions::

    y[o] = sum over m, k, t of  c[m] * a[k, t, o] * s[o, t] * dot(A[m], B[k])[t, o]

with M planes ``A[m] = sign(x - threshold[m])`` of the input, K kernels ``B[k]`` of +-1 and, where
the scale varies inside the window, its taps t apart. A part says how its factor comes about in
training, gradient included, and what it is at inference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from binvision.binary.estimators import ESTIMATORS, Estimator, sign
from binvision.binary.registry import Registry

if TYPE_CHECKING:
    from binvision.binary.conv import BinaryConv2d

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "SCALES",
    "WEIGHTS",
    "ActivationQuantizer",
    "ConstantMeanScale",
    "MeanScale",
    "Scale",
    "SignActivation",
    "SignWeight",
    "WeightQuantizer",
    "register_estimator",
]


class ActivationQuantizer(nn.Module):
    """Activations to a sum of signs: ``a(x) = sum over m of c[m] * sign(x - threshold[m])``.

    :meth:`forward` is the training form, with its gradient; it must have the value that
    :meth:`planes` describes. A part that changes over the schedule registers a scalar buffer
    ``progress``, which training sets to the share done, 0..1.

    Args:
        channels: Input channels C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Quantise ``x`` (N, C, H, W), its learned shift already added."""
        raise NotImplementedError

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return thresholds (M, 1) or (M, C), and coefficients (M,), both float32."""
        return torch.zeros(1, 1), torch.ones(1)


class WeightQuantizer(nn.Module):
    """Kernels to a sum of +-1 kernels: ``w(W) = sum over k of a[k, t, o] * B[k]``.

    A part that changes over the schedule registers a scalar buffer ``progress``, which training
    sets to the share done, 0..1.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.

    Attributes:
        latent_shape: Shape of the latent weights; ``shape``, unless a part says otherwise.
        is_binary: Whether the result is such a sum; False where it stays real, as with shifts.
        is_random: Whether training draws the result; its mean is then what evaluation uses.
    """

    is_binary = True
    is_random = False

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_shape = shape

    def start(self, latent: Tensor) -> None:
        """Fill the new latent weights in place: by He's normal distribution of the fan-in."""
        nn.init.kaiming_normal_(latent, mode="fan_in", nonlinearity="relu")

    def expand(self, latent: Tensor) -> Tensor:
        """Return the real kernel (O, C / groups, KH, KW) that the latent weights stand for."""
        return latent

    def forward(self, kernel: Tensor) -> Tensor:
        """Quantise the real kernel, with its gradient: what training multiplies with."""
        raise NotImplementedError

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return kernels (K, O, C / groups, KH, KW) of +-1 and coefficients (K, T, O).

        T is 1, or KH * KW where each tap has a coefficient of its own.
        """
        return sign(kernel)[None], kernel.new_ones(1, 1, len(kernel))

    def after_step(self, latent: Tensor) -> None:
        """Change the latent weights in place after each step of the optimiser."""


class Scale(nn.Module):
    """A real factor for each output channel.

    Args:
        kernel: The first real kernel, (O, C / groups, KH, KW).

    Attributes:
        varies: Whether :meth:`positions` multiplies the output too, which has no packed form.
    """

    varies = False

    def __init__(self, kernel: Tensor) -> None:
        super().__init__()

    def forward(self, kernel: Tensor) -> Tensor:
        """Return (O, 1, 1, 1), or (O, 1, KH, KW) where each tap has its own."""
        raise NotImplementedError

    def positions(self, x: Tensor, y: Tensor, layer: BinaryConv2d) -> Tensor:
        """Return a factor for each position of the output.

        Args:
            x: What the layer quantises, (N, C, H, W), its learned shift already added.
            y: The output without the factor, (N, O, H', W').
            layer: The layer.

        Returns:
            The factor, in a shape that ``y`` can be multiplied with.
        """
        raise NotImplementedError

    def start(self, kernel: Tensor) -> None:
        """Start again from ``kernel``, as where weights are taken from another network."""


ACTIVATIONS: Registry[ActivationQuantizer] = Registry("activation quantiser")
WEIGHTS: Registry[WeightQuantizer] = Registry("weight quantiser")
SCALES: Registry[Scale] = Registry("scale")
# What a method adds to the loss: a layer that has just run to a scalar.
LOSSES: Registry[Tensor] = Registry("loss")


class SignActivation(ActivationQuantizer):
    """One plane, ``sign(x)``.

    Args:
        channels: Input channels.
        estimator: Sign with the gradient wanted.
    """

    def __init__(self, channels: int, estimator: Estimator) -> None:
        super().__init__(channels)
        self._estimator = estimator

    def forward(self, x: Tensor) -> Tensor:
        """Return the signs of ``x``."""
        return self._estimator(x)


class SignWeight(WeightQuantizer):
    """One kernel, ``sign(W)``.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        estimator: Sign with the gradient wanted.
    """

    def __init__(self, shape: tuple[int, ...], estimator: Estimator) -> None:
        super().__init__(shape)
        self._estimator = estimator

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the signs of ``kernel``."""
        return self._estimator(kernel)


def register_estimator(name: str) -> Callable[[Estimator], Estimator]:
    """Enter the decorated sign as an estimator, and as a quantiser of activations and weights."""

    def enter(estimator: Estimator) -> Estimator:
        ESTIMATORS[name] = estimator
        ACTIVATIONS.register(name)(lambda channels: SignActivation(channels, estimator))
        WEIGHTS.register(name)(lambda shape: SignWeight(shape, estimator))
        return estimator

    return enter


for _name, _estimator in tuple(ESTIMATORS.items()):
    register_estimator(_name)(_estimator)


@SCALES.register("mean")
class MeanScale(Scale):
    """``mean |W_o|``, the scale nearest to the kernel (XNOR-Net, ECCV 2016, eq. 6)."""

    def forward(self, kernel: Tensor) -> Tensor:
        """Return (O, 1, 1, 1); the gradient reaches the kernel."""
        return kernel.abs().mean(dim=(1, 2, 3), keepdim=True)


@SCALES.register("mean_constant")
class ConstantMeanScale(Scale):
    """``mean |W_o|``, a constant to the gradient (Bi-Real Net, ECCV 2018, section 3.3)."""

    def forward(self, kernel: Tensor) -> Tensor:
        """Return (O, 1, 1, 1)."""
        return kernel.detach().abs().mean(dim=(1, 2, 3), keepdim=True)
