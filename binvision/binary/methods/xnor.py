"""XNOR-Net, its binary-weight network, and its scale of the input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from binvision.binary.conv import BinaryConv2d
from binvision.binary.estimators import sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, SCALES, ActivationQuantizer, MeanScale

__all__ = ["InputScale", "ScaledSign"]

_PAPER = (
    "Rastegari et al., XNOR-Net: ImageNet Classification Using Binary Convolutional "
    "Neural Networks, ECCV 2016 (arXiv 1603.05279)"
)


@SCALES.register("mean_input")
class InputScale(MeanScale):
    """Both scales of XNOR-Net: ``alpha = mean |W_o|``, and K of each window (section 3.2).

    ::

        A = mean over channels of |x|,  K = A conv k,  k = 1 / (KH * KW) everywhere
        y[o] = alpha[o] * K * sum(sign(W_o) * sign(x))

    K is taken from each input, at inference too, and is a constant to the gradient. With groups,
    each has its own. What is outside the input counts as zero. There is no packed form, since K
    differs from position to position: ``scaled_sign`` holds its running mean instead.
    """

    varies = True

    def positions(self, x: Tensor, y: Tensor, layer: BinaryConv2d) -> Tensor:
        """Return K, (N, 1, H', W') or, with groups, (N, O, H', W')."""
        with torch.no_grad():
            n, channels, height, width = x.shape
            grouped = x.abs().view(n, layer.groups, channels // layer.groups, height, width)
            sizes = F.pad(grouped.mean(2), [layer.padding] * 4, value=float(abs(layer.pad_value)))
            side = layer.kernel_size
            box = sizes.new_full((layer.groups, 1, side, side), 1 / side**2)
            scale = F.conv2d(
                sizes, box, None, layer.stride, 0, layer.dilation, groups=layer.groups
            ).to(y.dtype)
            if layer.groups > 1:
                scale = scale.repeat_interleave(layer.out_channels // layer.groups, 1)
        return scale


@ACTIVATIONS.register("scaled_sign")
class ScaledSign(ActivationQuantizer):
    """``beta * sign(x)`` with XNOR-Net's ``beta = mean |x|`` (section 3.2).

    The paper takes beta from each input and window. Here it is the running mean of training, one
    number a layer, a constant to the gradient, so that it packs into the scale. The gradient of the
    sign passes where ``|x| <= 1``.

    Args:
        channels: Input channels.
        momentum: Share of the newest batch in beta.
    """

    beta: Tensor

    def __init__(self, channels: int, momentum: float = 0.1) -> None:
        super().__init__(channels)
        self._momentum = momentum
        # Of the normal distribution, which a batch norm before the layer comes near.
        self.register_buffer("beta", torch.tensor((2 / torch.pi) ** 0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``beta * sign(x)``, (N, C, H, W); in training, follow beta."""
        beta = self.beta.to(x.dtype).clone()
        if self.training:
            with torch.no_grad():
                self.beta.lerp_(x.abs().mean(dtype=self.beta.dtype), self._momentum)
        return beta * sign_clip(x)

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return the threshold 0, (1, 1), and beta, (1,)."""
        return self.beta.new_zeros(1, 1), self.beta.view(1)


register_method(
    Method(
        name="bwn",
        kind="quantiser",
        title="BWN, binary-weight network",
        paper=_PAPER,
        formula="y[o] = mean |W_o| * sum(sign(W_o) * x) (eq. 4 to 6), x real: a real convolution "
        "whose weights take a bit; the gradient reaches W through the mean too (section 3.1)",
        activation=None,
        weight="clip",
        scale="mean",
    )
)
register_method(
    Method(
        name="xnor",
        kind="quantiser",
        title="XNOR-Net",
        paper=_PAPER,
        formula="y[o] = mean |W_o| * sum(sign(W_o) * sign(x)) (eq. 4 to 6); the gradient reaches W "
        "through the mean too (section 3.1). The input's scale K at each position is left out, as "
        "in most later work, since a batch norm follows.",
        activation="clip",
        weight="clip",
        scale="mean",
    )
)
register_method(
    Method(
        name="xnor_beta",
        kind="quantiser",
        title="XNOR-Net, one scale of the input",
        paper=_PAPER,
        formula="y[o] = alpha_o * beta * sum(sign(W_o) * sign(x)), alpha_o = mean |W_o|, "
        "beta = mean |x| (section 3.2). The paper takes beta from each input; here it is the "
        "running mean of training, which packs.",
        activation="scaled_sign",
        weight="clip",
        scale="mean",
    )
)
register_method(
    Method(
        name="xnor_k",
        kind="quantiser",
        title="XNOR-Net, a scale of each window",
        paper=_PAPER,
        formula="y[o] = K * alpha_o * sum(sign(W_o) * sign(x)), alpha_o = mean |W_o|, K = (mean "
        "over channels of |x|) conv (1 / (KH KW)) (section 3.2). K is taken from each input, "
        "which has no packed form.",
        activation="clip",
        weight="clip",
        scale="mean_input",
    )
)
