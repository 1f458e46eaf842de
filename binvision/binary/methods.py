"""Binarisation methods as named combinations of parts.

A 1-bit convolution is composed of a sign for the activations, a sign for the weights and a
scale for each output channel; a method says which of each, and what its paper adds to the loss.

=============== ============ ============ ======================================= ============
method          activation   weight       scale of output channel o               extra loss
                estimator    estimator    (n weights W_o)
=============== ============ ============ ======================================= ============
``fp``          none (real)  none (real)  none (the float twin: same modules)
``activations`` polynomial   none (real)  none (first of two stages)
``bnn``         clip         clip         1
``xnor``        clip         clip         mean |W_o|, differentiated
``bireal``      polynomial   clip         mean |W_o|, held constant in the gradient
``rbcn``        polynomial   polynomial   C_o, learned; starts at mean |W_o|      kernel loss
``rbcn_matrix`` polynomial   polynomial   C_o[i, j] for each tap of the window,   kernel loss
                                          learned; starts at mean |W_o|
=============== ============ ============ ======================================= ============

A scale per tap is kept exactly by the packed runtime, at about twice the time of a layer.

Papers: ``activations`` is the first stage of training in two, signs of activations before those
of weights (Bulat & Tzimiropoulos, ICCV 2017; Liu et al., ReActNet, ECCV 2020); ``bnn`` Hubara
et al., NeurIPS 2016; ``xnor`` Rastegari et al., ECCV 2016, eq. 4-6 (the optimal scale is the mean
absolute weight; the per-position input scale K is left out, as in most later work, since a batch
norm follows); ``bireal`` Liu et al., ECCV 2018, eq. 5-8; ``rbcn`` Liu et al., RBCN, IJCAI 2019
(arXiv 1908.07748).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from binvision.errors import ConfigError

__all__ = ["METHODS", "Method", "find_method"]

Estimator = Literal["clip", "polynomial"]
Scale = Literal["none", "mean", "mean_constant", "learned", "learned_taps"]


@dataclass(frozen=True)
class Method:
    """What a binarisation method is made of.

    Attributes:
        name: The key in :data:`METHODS`.
        activation: Gradient estimator of the activations' sign; None keeps them real.
        weight: Gradient estimator of the weights' sign; None keeps them real.
        scale: How the scale of an output channel comes about.
        kernel_loss: Whether training adds ``||W - C sign(W)||^2`` (RBCN).
    """

    name: str
    activation: Estimator | None
    weight: Estimator | None
    scale: Scale
    kernel_loss: bool = False

    @property
    def is_binary(self) -> bool:
        """Whether weights and activations are both +-1."""
        return self.activation is not None and self.weight is not None


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("fp", activation=None, weight=None, scale="none"),
        Method("activations", activation="polynomial", weight=None, scale="none"),
        Method("bnn", activation="clip", weight="clip", scale="none"),
        Method("xnor", activation="clip", weight="clip", scale="mean"),
        Method("bireal", activation="polynomial", weight="clip", scale="mean_constant"),
        Method(
            "rbcn", activation="polynomial", weight="polynomial", scale="learned", kernel_loss=True
        ),
        Method(
            "rbcn_matrix",
            activation="polynomial",
            weight="polynomial",
            scale="learned_taps",
            kernel_loss=True,
        ),
    )
}


def find_method(name: str) -> Method:
    """Return the method called ``name``.

    Raises:
        ConfigError: There is no such method; the message lists the valid names.
    """
    if name in METHODS:
        return METHODS[name]
    close = difflib.get_close_matches(name, METHODS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ConfigError(f"unknown binarisation method {name!r}; valid: {', '.join(METHODS)}.{hint}")
