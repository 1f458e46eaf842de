"""Optimisers of binary weights: Bop and BayesBiNN, with Adam for everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from torch import Tensor, nn

from binvision.binary import BinaryConv2d
from binvision.binary.estimators import sign

__all__ = ["BayesBiNN", "Bop", "LatentConstructor"]

Groups = list[dict[str, Any]]  # parameters, and whether they are latent weights


class _LatentOptimizer(torch.optim.AdamW):
    """AdamW, but for the groups of parameters whose ``latent`` is true.

    The learning rate of those groups is ``rate``; schedules scale it like any other.
    """

    param_groups: Groups

    def __init__(self, params: Groups, *, rate: float, lr: float = 1e-3, **options: Any) -> None:
        for group in params:
            if group["latent"]:
                group["lr"] = rate
        super().__init__(params, lr=lr, **options)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step of each kind."""
        groups = list(self.param_groups)
        self.param_groups = [group for group in groups if not group["latent"]]
        try:
            loss = super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            if group["latent"]:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        state = self.state[parameter]
                        self._change(parameter, parameter.grad, state, group["lr"])
        return loss

    def _change(self, weight: Tensor, gradient: Tensor, state: Any, rate: float) -> None:
        raise NotImplementedError


@OPTIMIZERS.register_module()
class Bop(_LatentOptimizer):
    """Flips binary weights against a moving average of their gradients; there are no latents.

    Helwegen et al., Latent Weights Do Not Exist: Rethinking Binarized Neural Network Optimization,
    NeurIPS 2019 (arXiv 1906.02107), algorithm 1::

        m <- (1 - gamma) m + gamma g
        w <- -w   where |m| > threshold and sign(m) = sign(w)

    Args:
        params: Groups of parameters; see :class:`LatentConstructor`.
        gamma: Adaptivity, which takes the learning rate's place in the groups of binary weights.
        threshold: Least average that flips a weight.
        options: Of AdamW, for the other groups.
    """

    def __init__(
        self, params: Groups, gamma: float = 1e-3, threshold: float = 1e-7, **options: Any
    ) -> None:
        super().__init__(params, rate=gamma, **options)
        self._threshold = threshold

    def _change(self, weight: Tensor, gradient: Tensor, state: Any, rate: float) -> None:
        if not state:
            weight.copy_(sign(weight))
            state["average"] = torch.zeros_like(weight)
            state["step"] = torch.zeros(())  # AdamW asks every state for it
        average = state["average"]
        average.lerp_(gradient, rate)
        flips = (average.abs() > self._threshold) & (average * weight > 0)
        weight.copy_(torch.where(flips, -weight, weight))


@OPTIMIZERS.register_module()
class BayesBiNN(_LatentOptimizer):
    """Natural parameters of a Bernoulli distribution over each weight, by the Bayesian rule.

    Meng et al., Training Binary Neural Networks using the Bayesian Learning Rule, ICML 2020 (arXiv
    2002.10778). The latent weights are the natural parameters ``v``; their gradient ``g`` is the
    one through a sample ``tanh((v + d) / t)``, as the quantiser ``bayes_binn`` draws it::

        m <- beta m + (1 - beta) (N g / (1 - tanh(v)^2) + v)
        v <- v - rate m / (1 - beta^steps)

    with N the pictures of the training set and a prior of even odds.

    Args:
        params: Groups of parameters; see :class:`LatentConstructor`.
        rate: Learning rate of the natural parameters.
        pictures: N.
        start: Magnitude of ``v`` at first; the signs are those of the weights.
        momentum: beta.
        floor: Least ``1 - tanh(v)^2`` that is divided by, so that a rare sample against a weight
            that is all but certain does not throw it far.
        options: Of AdamW, for the other groups.
    """

    def __init__(
        self,
        params: Groups,
        rate: float = 1e-3,
        pictures: int = 50_000,
        start: float = 1.0,
        momentum: float = 0.9,
        floor: float = 0.05,
        **options: Any,
    ) -> None:
        super().__init__(params, rate=rate, **options)
        self._pictures, self._start, self._momentum = pictures, start, momentum
        self._floor = floor

    def _change(self, weight: Tensor, gradient: Tensor, state: Any, rate: float) -> None:
        if not state:
            weight.copy_(self._start * sign(weight))
            state["average"] = torch.zeros_like(weight)
            state["step"] = torch.zeros((), dtype=torch.float64)
        state["step"] += 1
        variance = (1 - weight.tanh().square()).clamp(min=self._floor)
        average = state["average"]
        average.lerp_(self._pictures * gradient / variance + weight, 1 - self._momentum)
        weight.sub_(rate * average / (1 - self._momentum ** state["step"]))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LatentConstructor(DefaultOptimWrapperConstructor):
    """Builds an optimiser that treats the weights of 1-bit layers apart.

    ``optim_wrapper=dict(constructor="LatentConstructor", optimizer=dict(type="Bop", ...))``. Its
    groups of parameters have a flag ``latent``.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Return the wrapper with its optimiser."""
        model = getattr(model, "module", model)
        latents = {
            id(layer.weight)
            for layer in model.modules()
            if isinstance(layer, BinaryConv2d) and layer.quantizer is not None
        }
        groups: Groups = []
        if self.paramwise_cfg:
            self.add_params(groups, model)
            for group in groups:
                group["latent"] = id(group["params"][0]) in latents
        else:
            parameters = [p for p in model.parameters() if p.requires_grad]
            for is_latent in (False, True):
                chosen = [p for p in parameters if (id(p) in latents) == is_latent]
                if chosen:
                    groups.append({"params": chosen, "latent": is_latent})
        optimizer = OPTIMIZERS.build({**self.optimizer_cfg, "params": groups})
        wrapper: OptimWrapper = OPTIM_WRAPPERS.build(
            self.optim_wrapper_cfg, default_args={"optimizer": optimizer}
        )
        return wrapper
