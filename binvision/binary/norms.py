"""Batch norms whose products are shifts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["NORMS", "ShiftBatchNorm2d", "nearest_power", "use_shift_norms"]


class _NearestPower(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        return torch.sign(x) * torch.exp2(torch.round(torch.log2(x.abs())))

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        return grad


def nearest_power(x: Tensor) -> Tensor:
    """Return ``AP2(x) = sign(x) * 2^round(log2 |x|)``, 0 for 0; the gradient passes as it is."""
    power: Tensor = _NearestPower.apply(x)
    return power


class ShiftBatchNorm2d(nn.BatchNorm2d):
    """Shift-based batch norm (Hubara et al., Binarized Neural Networks, NeurIPS 2016).

    ::

        C(x)  = x - mean(x)
        var   = mean(C(x) * AP2(C(x)))
        y     = AP2(weight) * AP2(1 / sqrt(var + eps)) * C(x) + bias

    Every product is with a power of two, which integers make by a shift. Mean and var are the
    batch's in training, and running means of them in evaluation, as in a batch norm. It works in
    float32 and returns the dtype of its input.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` (N, C, H, W)."""
        values = x if x.dtype == torch.float64 else x.float()
        if self.training:
            mean = values.mean((0, 2, 3))
            centred = values - mean.view(-1, 1, 1)
            variance = (centred * nearest_power(centred)).mean((0, 2, 3))
            with torch.no_grad():
                assert self.running_mean is not None and self.running_var is not None
                assert self.num_batches_tracked is not None and self.momentum is not None
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance, self.momentum)
                self.num_batches_tracked += 1
        else:
            assert self.running_mean is not None and self.running_var is not None
            centred = values - self.running_mean.view(-1, 1, 1)
            variance = self.running_var
        scale = self._scale(variance).view(-1, 1, 1)
        return (centred * scale + self.bias.view(-1, 1, 1)).to(x.dtype)

    def _scale(self, variance: Tensor) -> Tensor:
        return nearest_power(self.weight) * nearest_power((variance + self.eps).rsqrt())

    @torch.no_grad()
    def folded(self) -> tuple[Tensor, Tensor]:
        """Return scale and bias (C,) of evaluation mode: ``y = scale * x + bias``."""
        assert self.running_mean is not None and self.running_var is not None
        scale = self._scale(self.running_var).double()
        return scale, self.bias.double() - scale * self.running_mean.double()


def use_shift_norms(network: nn.Module) -> None:
    """Make each batch norm of ``network`` a shift-based one, in place; parameters stay."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = ShiftBatchNorm2d


# What a configuration calls a batch norm, to what puts it into a network.
NORMS: dict[str, Callable[[nn.Module], None]] = {
    "batch": lambda network: None,
    "shift": use_shift_norms,
}
