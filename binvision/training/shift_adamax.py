"""AdaMax whose products are shifts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from mmengine.registry import OPTIMIZERS
from torch import Tensor
from torch.optim import Optimizer

from binvision.binary.norms import nearest_power

__all__ = ["ShiftAdaMax"]


@OPTIMIZERS.register_module()
class ShiftAdaMax(Optimizer):
    """Shift-based AdaMax (Hubara et al., Binarized Neural Networks, NeurIPS 2016).

    ::

        m = beta1 * m + (1 - beta1) * g
        v = max(beta2 * v, |g|)
        w = w - AP2(lr / (1 - beta1^t)) * m * AP2(1 / v)

    AP2 is the nearest power of two, so that integers step by shifts.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate; the paper's is 2^-10.
        betas: Decay of m and of v; the paper's are 1 - 2^-3 and 1 - 2^-10.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2**-10,
        betas: tuple[float, float] = (1 - 2**-3, 1 - 2**-10),
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Make one step."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._step(group, weights)

    def _step(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        first, second = group["betas"]
        for weight in weights:
            if not self.state[weight]:
                zeros = torch.zeros_like(weight), torch.zeros_like(weight)
                self.state[weight] = {"mean": zeros[0], "largest": zeros[1]}
        # One count a group: a schedule of one step for all of its parameters.
        group["step"] = group.get("step", 0) + 1
        grads = [weight.grad for weight in weights]
        means = [self.state[weight]["mean"] for weight in weights]
        largest = [self.state[weight]["largest"] for weight in weights]
        torch._foreach_lerp_(means, grads, 1 - first)
        torch._foreach_mul_(largest, second)
        torch._foreach_maximum_(largest, torch._foreach_abs(grads))
        rate = nearest_power(torch.tensor(group["lr"] / (1 - first ** group["step"]))).item()
        for weight, mean, most in zip(weights, means, largest, strict=True):
            weight.sub_(mean * nearest_power(1 / most.clamp(min=1e-30)), alpha=rate)
