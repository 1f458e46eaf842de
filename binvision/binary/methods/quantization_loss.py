"""Zheng et al.: the distance between real and binary values is part of the loss."""

from __future__ import annotations

from torch import Tensor

from binvision.binary.conv import BinaryConv2d
from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import LOSSES

__all__ = ["activation_quantization_error", "weight_quantization_error"]


@LOSSES.register("quantization")
def weight_quantization_error(layer: BinaryConv2d) -> Tensor:
    """Distance of the kernel from its nearest scaled signs, a scalar.

    ::

        sum over o of ||W_o - alpha_o sign(W_o)||^2 / 2,   alpha_o = mean |W_o|

    The gradient ``W_o - alpha_o sign(W_o)`` draws all magnitudes of a channel to their mean. (The
    distance is least at this alpha, so alpha's own part of the gradient is zero.)
    """
    kernel = layer.kernel()
    scale = kernel.detach().abs().mean((1, 2, 3), keepdim=True)
    return 0.5 * (kernel - scale * sign(kernel.detach())).square().sum()


@LOSSES.register("activation_quantization")
def activation_quantization_error(layer: BinaryConv2d) -> Tensor:
    """Distance of the activations from their nearest scaled signs, a scalar.

    ::

        mean of (x - beta_c sign(x))^2 / 2,   beta_c = mean |x| of the channel
    """
    x = layer.last_input.to(layer.shift.dtype) + layer.shift.view(-1, 1, 1)
    scale = x.detach().abs().mean((0, 2, 3), keepdim=True)
    return 0.5 * (x - scale * sign(x.detach())).square().mean()


register_method(
    Method(
        name="quantization_loss",
        kind="loss",
        title="Quantisation loss of weights and activations",
        paper="Zheng, Deng & Huang, Binarized Neural Networks for Resource-Efficient Hashing with "
        "Minimizing Quantization Loss, IJCAI 2019",
        formula="y[o] = mean |W_o| * sum(sign(W_o) * sign(x)); loss + sum ||W_o - mean |W_o| "
        "sign(W_o)||^2 / 2 for the weights, and the same distance, as a mean, for the activations. "
        "The paper's loss of hash codes is left to the task.",
        activation="clip",
        weight="clip",
        scale="mean_constant",
        losses={"quantization": 1e-4, "activation_quantization": 1e-2},
    )
)
