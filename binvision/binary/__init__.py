"""Binary layers for PyTorch: methods and their parts, convolutions, losses."""

from binvision.binary import methods
from binvision.binary.activations import RPReLU
from binvision.binary.conv import BinaryConv2d, BinaryLinear
from binvision.binary.eight_bit import EightBitConv2d
from binvision.binary.estimators import ESTIMATORS, sign, sign_clip, sign_polynomial
from binvision.binary.losses import auxiliary_losses
from binvision.binary.method import METHODS, Method, find_method, register_method
from binvision.binary.norms import ShiftBatchNorm2d
from binvision.binary.parts import (
    ACTIVATIONS,
    LOSSES,
    SCALES,
    WEIGHTS,
    ActivationQuantizer,
    Scale,
    WeightQuantizer,
    register_estimator,
)
from binvision.binary.registry import Spec
from binvision.binary.stem import QuantConv2d

__all__ = [
    "ACTIVATIONS",
    "ESTIMATORS",
    "LOSSES",
    "METHODS",
    "SCALES",
    "WEIGHTS",
    "ActivationQuantizer",
    "BinaryConv2d",
    "BinaryLinear",
    "EightBitConv2d",
    "Method",
    "QuantConv2d",
    "RPReLU",
    "Scale",
    "ShiftBatchNorm2d",
    "Spec",
    "WeightQuantizer",
    "auxiliary_losses",
    "find_method",
    "methods",
    "register_estimator",
    "register_method",
    "sign",
    "sign_clip",
    "sign_polynomial",
]
