"""Quantisers whose value is a staircase: what several methods of sums share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from binvision.binary.parts import ActivationQuantizer

__all__ = ["ONES", "StepActivation", "straight_through", "unrounded"]

ONES = -1e30  # threshold of a plane that is +1 wherever there is an input


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, value: Tensor, inside: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(*(() if inside is None else (inside,)))
        return value

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        saved = ctx.saved_tensors
        return (grad * saved[0] if saved else grad), None, None


def straight_through(x: Tensor, value: Tensor, inside: Tensor | None = None) -> Tensor:
    """Return ``value``, exactly, with a gradient that goes to ``x``.

    Unlike ``x + (value - x).detach()`` it rounds nothing, which matters in bfloat16.

    Args:
        x: What was quantised.
        value: The result, of the shape of ``x``; it gets no gradient.
        inside: Where the gradient passes, boolean; None is everywhere.
    """
    result: Tensor = _StraightThrough.apply(x, value.detach(), inside)
    return result


def unrounded(tensor: Tensor) -> torch.autocast:
    """Return a context that keeps products in the precision of their factors.

    Under automatic mixed precision a kernel that is a product of matrices would come out rounded to
    half the bits, and some of its signs would differ from those of inference.
    """
    return torch.autocast(tensor.device.type, enabled=False)


class StepActivation(ActivationQuantizer):
    """Codes of non-negative values: ``a(x) = sum over m of rise[m] * (x >= threshold[m])``.

    A bit of 0 or 1 is half a sign and a half::

        rise * (x >= t) = rise / 2 * sign(x - t) + rise / 2

    so that M steps are M planes and one whose threshold is below every value, which is what makes
    the zero padding of a code that starts at 0 come out right. The gradient is 1 from
    ``passing[0]`` to ``passing[1]`` and 0 elsewhere.

    Args:
        channels: Input channels.
        thresholds: Thresholds, M of them, ascending.
        levels: The M values from each threshold on, ascending.
        passing: Where the gradient passes.
    """

    thresholds: Tensor
    rises: Tensor

    def __init__(
        self,
        channels: int,
        thresholds: Sequence[float],
        levels: Sequence[float],
        passing: tuple[float, float],
    ) -> None:
        super().__init__(channels)
        values = torch.tensor([0.0, *levels], dtype=torch.float64)
        self.register_buffer("thresholds", torch.tensor(thresholds).float(), persistent=False)
        self.register_buffer("rises", values.diff().float(), persistent=False)
        self._passing = passing

    def forward(self, x: Tensor) -> Tensor:
        """Return the codes of ``x``, (N, C, H, W)."""
        with torch.no_grad():
            value = torch.zeros_like(x)
            thresholds, rises = self.thresholds.to(x.dtype), self.rises.to(x.dtype)
            for threshold, rise in zip(thresholds, rises, strict=True):
                value += rise * (x >= threshold)
            low, high = self._passing
            inside = (x >= low) & (x <= high)
        return straight_through(x, value, inside)

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return thresholds (M + 1, 1) and coefficients (M + 1,)."""
        always = self.thresholds.new_full((1,), ONES)
        halves = self.rises / 2
        return (
            torch.cat([self.thresholds, always]).unsqueeze(1),
            torch.cat([halves, halves.sum().unsqueeze(0)]),
        )
