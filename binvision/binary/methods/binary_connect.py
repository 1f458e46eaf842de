"""BinaryConnect: binary weights on real inputs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer
from binvision.binary.steps import straight_through

__all__ = ["BinaryConnectWeight"]

_PAPER = (
    "Courbariaux et al., BinaryConnect: Training Deep Neural Networks with binary weights during "
    "propagations, NeurIPS 2015 (arXiv 1511.00363)"
)


@WEIGHTS.register("binary_connect")
class BinaryConnectWeight(WeightQuantizer):
    """Signs of weights that are kept within +-H.

    ::

        w(W) = H * sign(W)                                       deterministic (eq. 1)
        w(W) = H with probability clip((W / H + 1) / 2, 0, 1), else -H   stochastic (eq. 2 and 3)

    The gradient of w goes to W as it is; after each step W is clipped to +-H (section 2.4). H is
    Glorot's bound over 2, ``sqrt(6 / (fan in + fan out)) / 2``, and W starts uniform within +-H, as
    in the authors' code: the size of a step against H is what matters, since a batch norm follows.

    The stochastic form uses W itself at inference (section 2.6), which is the mean of what training
    draws; its weights are real then.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        stochastic: Whether training draws the weights.
    """

    def __init__(self, shape: tuple[int, ...], stochastic: bool = False) -> None:
        super().__init__(shape)
        taps = shape[2] * shape[3]
        self.bound = math.sqrt(6 / ((shape[0] + shape[1]) * taps)) / 2
        self.is_random, self.is_binary = stochastic, not stochastic

    def start(self, latent: Tensor) -> None:
        """Fill the latent weights uniformly within +-H."""
        latent.uniform_(-self.bound, self.bound)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the weights, (O, C / groups, KH, KW)."""
        if not self.is_random:
            return straight_through(kernel, self.bound * sign(kernel))
        if not self.training:
            return kernel.clamp(-self.bound, self.bound)
        chance = (kernel.detach() / self.bound + 1) / 2  # beyond 0..1 it is certain
        drawn = torch.where(torch.rand_like(kernel) < chance, self.bound, -self.bound)
        return straight_through(kernel, drawn.to(kernel.dtype))

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs (1, O, C / groups, KH, KW) and H, (1, 1, O)."""
        return sign(kernel)[None], kernel.new_full((1, 1, len(kernel)), self.bound)

    def after_step(self, latent: Tensor) -> None:
        """Clip the latent weights to +-H."""
        latent.clamp_(-self.bound, self.bound)


register_method(
    Method(
        name="binaryconnect",
        kind="early",
        title="BinaryConnect, deterministic",
        paper=_PAPER,
        formula="y = sum(H sign(W) * x), x real (eq. 1): a real convolution whose weights take a "
        "bit; the gradient goes to W as it is, W is clipped to +-H after each step (section 2.4)",
        activation=None,
        weight="binary_connect",
    )
)
register_method(
    Method(
        name="binaryconnect_stochastic",
        kind="early",
        title="BinaryConnect, stochastic",
        paper=_PAPER,
        formula="training: y = sum(w * x), w = H with probability clip((W / H + 1) / 2, 0, 1), "
        "else -H (eq. 2 and 3); inference: y = sum(W * x), real (second method of section 2.6)",
        activation=None,
        weight={"type": "binary_connect", "stochastic": True},
    )
)
