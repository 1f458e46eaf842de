"""LightNN: weights that are sums of few powers of two."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer
from binvision.binary.steps import straight_through

__all__ = ["ShiftWeight"]


@WEIGHTS.register("shifts")
class ShiftWeight(WeightQuantizer):
    """Weights by which to multiply is to shift, and to add.

    ::

        r[0] = W,  q[k] = sign(r[k-1]) * 2^round(log2 |r[k-1]|),  r[k] = r[k-1] - q[k]
        w(W) = sum over k of q[k]

    The gradient passes to W as it is. The result is real: it runs as a real convolution.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        shifts: Powers of two in a weight.
    """

    is_binary = False

    def __init__(self, shape: tuple[int, ...], shifts: int = 1) -> None:
        super().__init__(shape)
        self._shifts = shifts

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the sums of powers of two, (O, C / groups, KH, KW)."""
        with torch.no_grad():
            rest = kernel
            for _ in range(self._shifts):
                rest = rest - rest.sign() * torch.exp2(rest.abs().log2().round())
            value = kernel - rest
        return straight_through(kernel, value)


for _shifts, _what in ((1, "one shift"), (2, "two shifts")):
    register_method(
        Method(
            name=f"lightnn{_shifts}",
            kind="quantiser",
            title=f"LightNN-{_shifts}, weights of {_what}",
            paper="Ding et al., LightNN: Filling the Gap between Conventional Deep Neural Networks "
            "and Binarized Networks, GLSVLSI 2017",
            formula="y[o] = sum(w(W_o) * x), w a sum of "
            f"{_shifts} signed powers of two, each 2^round(log2 |what is left|). Activations are "
            "real; at inference a real convolution.",
            activation=None,
            weight={"type": "shifts", "shifts": _shifts},
        )
    )
