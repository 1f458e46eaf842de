"""Real-to-Binary: stages from a real network to a binary one, each taught by the one before."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from binvision.binary.conv import BinaryConv2d
from binvision.binary.estimators import sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import (
    ACTIVATIONS,
    LOSSES,
    WEIGHTS,
    ActivationQuantizer,
    WeightQuantizer,
)

__all__ = ["StagedActivation", "StagedWeight", "attention_loss", "attention_map"]


@ACTIVATIONS.register("staged")
class StagedActivation(ActivationQuantizer):
    """``tanh(x)`` up to a share of the schedule, ``sign(x)`` afterwards.

    The gradient of the sign passes where ``|x| <= 1``. Outside a schedule it is the sign.

    Args:
        channels: Input channels.
        until: Share of the schedule, 0..1, at which the activations become binary.
    """

    progress: Tensor

    def __init__(self, channels: int, until: float = 0.2) -> None:
        super().__init__(channels)
        self.until = until
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the activations are at this point of the schedule."""
        return torch.where(self.progress < self.until, x.tanh(), sign_clip(x))


@WEIGHTS.register("staged")
class StagedWeight(WeightQuantizer):
    """``W / mean |W_o|`` up to a share of the schedule, ``sign(W)`` afterwards.

    The real weights have the mean magnitude of the signs, so that one scale fits both. The gradient
    of the sign passes where ``|W| <= 1``. Outside a schedule it is the sign.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        until: Share of the schedule, 0..1, at which the weights become binary.
    """

    progress: Tensor

    def __init__(self, shape: tuple[int, ...], until: float = 0.45) -> None:
        super().__init__(shape)
        self.until = until
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return what the kernel is at this point of the schedule."""
        magnitude = kernel.detach().abs().mean((1, 2, 3), keepdim=True).clamp(min=1e-12)
        return torch.where(self.progress < self.until, kernel / magnitude, sign_clip(kernel))


def attention_map(output: Tensor) -> Tensor:
    """Return where a layer answers most: the sum over channels of its squares, a unit vector.

    Args:
        output: (N, O, H, W) of a layer.

    Returns:
        (N, H * W), float32 at least.
    """
    wide = output if output.dtype == torch.float64 else output.float()
    return normalize(wide.square().sum(1).flatten(1))


@LOSSES.register("attention")
def attention_loss(layer: BinaryConv2d) -> Tensor:
    """Distance of a layer's attention from its teacher's, a scalar.

    ::

        Q = sum over channels of A^2;  mean over pictures of || Q / ||Q|| - Q' / ||Q'|| ||

    with A the output of the layer and Q' that of the same layer in the network of the stage before,
    which :class:`~binvision.training.teaching.StageTeacher` runs. Without a teacher it is 0.
    """
    attention = attention_map(layer.last_output)
    guide: tuple[Tensor, Tensor] | None = getattr(layer, "guide", None)
    if guide is None:
        return attention.new_zeros(())
    taught, is_on = guide
    return torch.linalg.vector_norm(attention - taught, dim=1).mean() * is_on


register_method(
    Method(
        name="real_to_binary",
        kind="training",
        title="Real-to-Binary, in three stages",
        paper="Martinez et al., Training Binary Neural Networks with Real-to-Binary Convolutions, "
        "ICLR 2020 (arXiv 2003.11535)",
        formula="y[o] = C_o * sum(w * a), C learned; first a = tanh(x), w = W / mean |W_o|; then a "
        "= sign(x); then w = sign(W) too. In the second and third stage the loss has + || Q/||Q|| "
        "- Q'/||Q'|| || of each layer, Q = sum over channels of y^2 and Q' that of the network at "
        "the end of the stage before. The paper's gate, a scale from the input of each picture, "
        "has no packed form and is left out.",
        activation="staged",
        weight="staged",
        scale="learned",
        losses={"attention": 0.2},
    )
)
