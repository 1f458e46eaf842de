"""Quantized neural networks: k bits by uniform levels."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, WEIGHTS, ActivationQuantizer, WeightQuantizer
from binvision.binary.steps import straight_through

__all__ = ["UniformActivation", "UniformWeight"]

_PAPER = (
    "Hubara et al., Quantized Neural Networks: Training Neural Networks with Low Precision Weights "
    "and Activations, JMLR 18, 2018 (arXiv 1609.07061)"
)
# Spacing of the uniform levels nearest to a normal variable of variance 1, for each count of bits
# (Max, Quantizing for Minimum Distortion, IRE Trans. Information Theory 1960, table II).
_STEPS = {1: 1.596, 2: 0.9957, 3: 0.5860, 4: 0.3352}


@ACTIVATIONS.register("uniform")
class UniformActivation(ActivationQuantizer):
    """Activations of k bits, at even distances from -1 to 1 (QNN's linear quantisation).

    ::

        a(x) = clip(round to the nearest level, -1, 1),  levels (2 i - n) / n,  n = 2^k - 1
             = 1 / n * sum over m = 1..n of sign(x - (2 m - n - 1) / n)

    One bit is the sign. The gradient passes where ``|x| <= 1``.

    Args:
        channels: Input channels.
        bits: Bits k, 1 to 4.
    """

    thresholds: Tensor

    def __init__(self, channels: int, bits: int = 2) -> None:
        super().__init__(channels)
        self._count = count = 2**bits - 1
        thresholds = (2 * torch.arange(1, count + 1, dtype=torch.float64) - count - 1) / count
        self.register_buffer("thresholds", thresholds.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the levels, (N, C, H, W)."""
        with torch.no_grad():
            above = torch.zeros_like(x)
            for threshold in self.thresholds.to(x.dtype):
                above += x >= threshold
            value = above * (2 / self._count) - 1
            inside = x.abs() <= 1
        return straight_through(x, value, inside)

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return thresholds (n, 1) and coefficients (n,)."""
        return self.thresholds.unsqueeze(1), torch.full_like(self.thresholds, 1 / self._count)


@WEIGHTS.register("uniform")
class UniformWeight(WeightQuantizer):
    """Weights of k bits, at even distances (QNN's linear quantisation).

    ::

        w(W) = step * level,  level among -n, 2 - n, ..., n,  n = 2^k - 1
             = sum over k of step * 2^k * B[k],  each bit B a kernel of +-1

    The paper's range is a constant. Here ``step`` follows each filter, half the spacing of the
    uniform levels that suit normal weights of its root mean square best, so that a filter uses its
    levels whatever its size. The gradient passes to W where it is not clipped, ``step`` held
    constant.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        bits: Bits k, 1 to 4.
    """

    def __init__(self, shape: tuple[int, ...], bits: int = 2) -> None:
        super().__init__(shape)
        self._bits, self._count = bits, 2**bits - 1

    def forward(self, kernel: Tensor) -> Tensor:
        """Return ``step * level``, (O, C / groups, KH, KW)."""
        with torch.no_grad():
            step = self._step(kernel)
            value = step * self._level(kernel, step)
            inside = kernel.abs() <= step * (self._count + 1)
        return straight_through(kernel, value, inside)

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bits (k, O, C / groups, KH, KW), greatest first, and ``step * 2^k``."""
        step = self._step(kernel)
        rest, signs = self._level(kernel, step), []
        for bit in reversed(range(self._bits)):
            signs.append(torch.where(rest >= 0, 1.0, -1.0).to(rest))
            rest = rest - 2**bit * signs[-1]
        factors = [step.flatten() * 2**bit for bit in reversed(range(self._bits))]
        return torch.stack(signs), torch.stack(factors).unsqueeze(1)

    def _step(self, kernel: Tensor) -> Tensor:
        size = kernel.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return (size * (_STEPS[self._bits] / 2)).clamp(min=1e-12)

    def _level(self, kernel: Tensor, step: Tensor) -> Tensor:
        """Nearest odd number from -n to n."""
        odd = 2 * torch.floor(kernel / (2 * step)) + 1
        return odd.clamp(-self._count, self._count)


register_method(
    Method(
        name="qnn2",
        kind="quantiser",
        title="QNN, weights of 1 bit, activations of 2",
        paper=_PAPER,
        formula="y[o] = sum(sign(W_o) * q(x)), q(x) the nearest of -1, -1/3, 1/3, 1 = (sign(x + "
        "2/3) + sign(x) + sign(x - 2/3)) / 3: k bits are 2^k - 1 planes; d q / dx = 1 where "
        "|x| <= 1",
        activation={"type": "uniform", "bits": 2},
        weight="clip",
    )
)
register_method(
    Method(
        name="qnn22",
        kind="quantiser",
        title="QNN, weights and activations of 2 bits",
        paper=_PAPER,
        formula="y[o] = sum(w(W_o) * q(x)), q(x) the nearest of -1, -1/3, 1/3, 1 (3 planes), w(W) "
        "the nearest of -3s, -s, s, 3s = 2 s B1 + s B0 (2 kernels), s of each filter by its root "
        "mean square (a constant range in the paper)",
        activation={"type": "uniform", "bits": 2},
        weight={"type": "uniform", "bits": 2},
    )
)
