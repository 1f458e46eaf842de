"""Two-step quantisation: sparse codes of activations, ternary weights."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, WEIGHTS, WeightQuantizer
from binvision.binary.steps import StepActivation, straight_through

__all__ = ["SparseActivation", "TernaryWeight", "ternary"]

_ROUNDS = 6  # alternations; codes of a random filter rest after three to five


@ACTIVATIONS.register("sparse")
class SparseActivation(StepActivation):
    """Step one, sparse quantisation of activations.

    ::

        a(x) = 0 where x <= threshold, else the nearest of n = 2^k - 1 levels

    The threshold is the quantile of the normal distribution that leaves ``zeros`` of the values at
    0; the levels are those nearest to the normal values above it (Lloyd's alternation). The
    gradient is 1 above the threshold, up to the last level plus half its distance from the one
    before, and 0 elsewhere.

    Args:
        channels: Input channels.
        bits: Bits k, 1 to 3.
        zeros: Share of zeros, at least 0.5 for non-negative codes.
    """

    def __init__(self, channels: int, bits: int = 2, zeros: float = 0.65) -> None:
        shares = zeros + (1 - zeros) * (torch.arange(2048, dtype=torch.float64) + 0.5) / 2048
        values = torch.special.ndtri(shares)
        first = torch.special.ndtri(torch.tensor(zeros, dtype=torch.float64))
        count = 2**bits - 1
        levels = values[[(2 * i + 1) * len(values) // (2 * count) for i in range(count)]]
        for _ in range(200):
            borders = (levels[1:] + levels[:-1]) / 2
            nearest = torch.bucketize(values, borders)
            levels = torch.stack([values[nearest == i].mean() for i in range(count)])
        borders = (levels[1:] + levels[:-1]) / 2
        thresholds = torch.cat([first.unsqueeze(0), borders])
        last = 2 * levels[-1] - thresholds[-1]
        super().__init__(
            channels, thresholds.tolist(), levels.tolist(), (first.item(), last.item())
        )


@WEIGHTS.register("ternary")
class TernaryWeight(WeightQuantizer):
    """Step two, ternary weights and a scale for each filter.

    ::

        alpha, T = argmin |W - alpha * T|^2,  T in {-1, 0, 1}
                 = alpha / 2 * B[0] + alpha / 2 * B[1]

    solved by alternation: ``T = sign(W) * (|W| > alpha / 2)``, then ``alpha = W.T / T.T``. The
    paper solves it layer by layer for the outputs of a trained network; here it is solved for the
    weights at each step of training. The gradient passes to W as it is.
    """

    def forward(self, kernel: Tensor) -> Tensor:
        """Return ``alpha * T``, (O, C / groups, KH, KW)."""
        with torch.no_grad():
            codes, alpha = ternary(kernel)
        return straight_through(kernel, codes * alpha)

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return two kernels of +-1, which differ where T is 0, and ``alpha / 2`` for each."""
        codes, alpha = ternary(kernel)
        signs = torch.stack([codes - 0.5, codes + 0.5]).sign()
        return signs, (alpha.flatten() / 2).expand(2, 1, -1)


def ternary(kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Return codes -1, 0 and 1 (O, C / groups, KH, KW), and the scale (O, 1, 1, 1) of each filter.

    Args:
        kernel: (O, C / groups, KH, KW).
    """
    dims, magnitude = (1, 2, 3), kernel.abs()
    alpha = magnitude.mean(dims, keepdim=True)
    kept = magnitude >= alpha / 2
    for _ in range(_ROUNDS):
        kept = magnitude >= alpha / 2
        count = kept.sum(dims, keepdim=True)
        alpha = (magnitude * kept).sum(dims, keepdim=True) / count.clamp(min=1)
    return torch.where(kept, kernel.sign(), 0.0).to(kernel.dtype), alpha


register_method(
    Method(
        name="tsq",
        kind="quantiser",
        title="TSQ, ternary weights, sparse activations of 2 bits",
        paper="Wang et al., Two-Step Quantization for Low-Bit Neural Networks, CVPR 2018",
        formula="y[o] = alpha_o * sum(T_o * q(x)); alpha, T = argmin |W - alpha T|^2 with T in "
        "{-1, 0, 1}, q(x) = 0 below a threshold that leaves 65% zeros of normal values, else the "
        "nearest of three levels: two kernels, three planes and one of ones. The paper fits T to "
        "the outputs of each layer of a trained network; here it is fitted to W in training.",
        activation={"type": "sparse", "bits": 2},
        weight="ternary",
    )
)
