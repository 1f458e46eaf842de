"""Sign functions: one forward, several gradient estimators.

Forward, everywhere in binvision (sign(0) = +1, so that one bit holds every result)::

    sign(x) = +1 if x >= 0 else -1

The sign has no useful derivative; an estimator replaces it in the backward pass:

=============  ========================================  =======================================
name           d sign / dx                               paper
=============  ========================================  =======================================
``clip``       1 if |x| <= 1 else 0                      Hubara et al., Binarized Neural Networks,
                                                         NeurIPS 2016, eq. 4
``polynomial`` 2 - 2|x| if |x| < 1 else 0                Liu et al., Bi-Real Net, ECCV 2018,
                                                         eq. 5 and 6
=============  ========================================  =======================================
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["ESTIMATORS", "Estimator", "sign", "sign_clip", "sign_polynomial"]

Estimator = Callable[[Tensor], Tensor]


def sign(x: Tensor) -> Tensor:
    """Return +1 where ``x >= 0`` and -1 elsewhere, in the dtype and shape of ``x``."""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


class _SignClip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.where(x.abs() <= 1, grad, torch.zeros_like(grad))


class _SignPolynomial(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (2 - 2 * x.abs()).clamp(min=0)


def sign_clip(x: Tensor) -> Tensor:
    """Sign whose gradient passes where ``|x| <= 1`` (the clipped straight-through estimator)."""
    return _SignClip.apply(x)


def sign_polynomial(x: Tensor) -> Tensor:
    """Sign whose gradient is ``2 - 2|x|`` where ``|x| < 1``, the slope of Bi-Real's ApproxSign."""
    return _SignPolynomial.apply(x)


ESTIMATORS: dict[str, Estimator] = {
    "clip": sign_clip,
    "polynomial": sign_polynomial,
}
