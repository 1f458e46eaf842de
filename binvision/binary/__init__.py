"""Binary layers for PyTorch: signs with gradient estimators, methods, convolutions, losses."""

from binvision.binary.abc_net import ABCConv2d
from binvision.binary.activations import RPReLU
from binvision.binary.conv import BinaryConv2d
from binvision.binary.eight_bit import EightBitConv2d
from binvision.binary.estimators import ESTIMATORS, sign, sign_clip, sign_polynomial
from binvision.binary.losses import kernel_loss
from binvision.binary.methods import METHODS, Method, find_method
from binvision.binary.stem import QuantConv2d

__all__ = [
    "ESTIMATORS",
    "METHODS",
    "ABCConv2d",
    "BinaryConv2d",
    "EightBitConv2d",
    "Method",
    "QuantConv2d",
    "RPReLU",
    "find_method",
    "kernel_loss",
    "sign",
    "sign_clip",
    "sign_polynomial",
]
