"""Trained binarisation: a long-tailed estimator and trained scales."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import register_estimator

__all__ = ["sign_long_tailed"]


class _SignLongTailed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        size = x.abs()
        return grad * torch.where(size <= 1, (2 - 4 * size).clamp(min=0.4), 0.0).to(grad.dtype)


@register_estimator("long_tailed")
def sign_long_tailed(x: Tensor) -> Tensor:
    """Sign with the long-tailed higher-order gradient of Xu & Cheung.

    ::

        d sign / dx = 2 - 4|x|  if |x| <= 0.4
                      0.4       if 0.4 < |x| <= 1
                      0         otherwise
    """
    result: Tensor = _SignLongTailed.apply(x)
    return result


register_method(
    Method(
        name="xu_cheung",
        kind="estimator",
        title="Trained binarisation, long-tailed estimator",
        paper="Xu & Cheung, Accurate and Compact Convolutional Neural Networks with Trained "
        "Binarization, BMVC 2019 (arXiv 1909.11366)",
        formula="y[o] = alpha_o * sum(sign(W_o) * sign(x)), alpha trained; d sign(x) / dx = "
        "2 - 4|x| where |x| <= 0.4, 0.4 up to |x| = 1, else 0 (long-tailed); of weights the "
        "higher-order 2 - 2|W| where |W| < 1",
        activation="long_tailed",
        weight="polynomial",
        scale="fused",
    )
)
