"""One file for each binarisation method; entering it here makes it known by its name."""

from binvision.binary.methods import (
    abc,
    bayes_binn,
    bireal,
    bnn,
    bnn_dl,
    bonn,
    bop,
    pcnn,
    quantization_loss,
    rbcn,
    real,
    relax,
    xnor,
)

__all__ = [
    "abc",
    "bayes_binn",
    "bireal",
    "bnn",
    "bnn_dl",
    "bonn",
    "bop",
    "pcnn",
    "quantization_loss",
    "rbcn",
    "real",
    "relax",
    "xnor",
]
