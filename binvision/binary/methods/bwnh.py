"""BWNH: binary weights as hash codes that keep inner products."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.conv import BinaryConv2d
from binvision.binary.method import Method, register_method
from binvision.binary.parts import LOSSES

__all__ = ["inner_product_error"]


@LOSSES.register("inner_product")
def inner_product_error(layer: BinaryConv2d) -> Tensor:
    """BWNH's ``||X^T W - X^T B A||^2``, over ``||X^T W||^2``, a scalar.

    X are the windows of the layer's input, W its real kernel, B A the binary one with its scales:
    the codes B hash W so that inner products with the data are kept. The paper minimises by
    alternation, layer by layer of a trained network. Here its gradient moves W, directly and
    through the signs, and the scales, along with the training; the input is held constant, and so
    is the denominator, which makes layers comparable.
    """
    x = layer.binarize_activation(layer.last_input.detach()).detach()
    kernel = layer.kernel()
    error = layer._convolve(x, kernel - layer.binarize_weight())
    with torch.no_grad():
        size = layer._convolve(x, kernel).float().square().mean()
    return error.float().square().mean() / (size + 1e-12)


register_method(
    Method(
        name="bwnh",
        kind="training",
        title="BWNH, weights alone",
        paper="Hu, Wang & Cheng, From Hashing to CNNs: Training Binary Weight Networks via "
        "Hashing, AAAI 2018 (arXiv 1802.02733)",
        formula="y[o] = a_o * sum(sign(W_o) * x), a learned; loss + ||X^T W - X^T B A||^2 / "
        "||X^T W||^2, B = sign(W), X the windows of the input. The paper minimises it by "
        "alternation on a trained network; here its gradient is followed in training. Real "
        "activations: a convolution of weights of a byte at inference.",
        activation=None,
        weight="clip",
        scale="learned",
        losses={"inner_product": 0.01},
    )
)
