"""One file for each binarisation method; entering it here makes it known by its name."""

from binvision.binary.methods import (
    abc,
    bireal,
    bnn,
    bnn_dl,
    bonn,
    pcnn,
    quantization_loss,
    rbcn,
    real,
    xnor,
)

__all__ = [
    "abc",
    "bireal",
    "bnn",
    "bnn_dl",
    "bonn",
    "pcnn",
    "quantization_loss",
    "rbcn",
    "real",
    "xnor",
]
