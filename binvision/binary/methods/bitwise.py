"""Bitwise neural networks: first compressed by tanh, then binary."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, WEIGHTS, ActivationQuantizer, WeightQuantizer

__all__ = ["BitwiseActivation", "BitwiseWeight"]


class _Compressed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, soft: Tensor) -> Tensor:
        compressed = torch.tanh(x)
        ctx.save_for_backward(compressed)
        return torch.where(soft, compressed, sign(x))

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        (compressed,) = ctx.saved_tensors
        return grad * (1 - compressed.square()), None


@ACTIVATIONS.register("bitwise")
class BitwiseActivation(ActivationQuantizer):
    """``tanh(x)`` in a first phase, then ``sign(x)``, both with the gradient ``1 - tanh(x)^2``.

    Args:
        channels: Input channels.
        compress: Share of the schedule that the first phase takes. Evaluation is binary always.
    """

    progress: Tensor

    def __init__(self, channels: int, compress: float = 0.3) -> None:
        super().__init__(channels)
        self._compress = compress
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the signs of ``x``, or in the first phase its hyperbolic tangent."""
        return _compressed(self, x, self.progress < self._compress)


@WEIGHTS.register("bitwise")
class BitwiseWeight(WeightQuantizer):
    """``tanh(W)`` in a first phase, then ``sign(W)``, both with the gradient ``1 - tanh(W)^2``.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        compress: Share of the schedule that the first phase takes. Evaluation is binary always.
    """

    progress: Tensor

    def __init__(self, shape: tuple[int, ...], compress: float = 0.3) -> None:
        super().__init__(shape)
        self._compress = compress
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the signs of the kernel, or in the first phase its hyperbolic tangent."""
        return _compressed(self, kernel, self.progress < self._compress)


def _compressed(part: torch.nn.Module, x: Tensor, soft: Tensor) -> Tensor:
    result: Tensor = _Compressed.apply(x, soft if part.training else torch.zeros_like(soft))
    return result


register_method(
    Method(
        name="bitwise",
        kind="early",
        title="Bitwise neural network",
        paper="Kim & Smaragdis, Bitwise Neural Networks, 2016 (arXiv 1601.06071)",
        formula="first phase (weight compression): y = sum(tanh(W) * tanh(x)); second phase (noisy "
        "back-propagation): y = sum(sign(W) * sign(x)) with d sign(v) / dv = 1 - tanh(v)^2. A "
        "batch norm takes the place of the paper's binary bias.",
        activation="bitwise",
        weight="bitwise",
    )
)
