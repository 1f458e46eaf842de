"""BayesBiNN: a distribution over binary weights, of which training draws samples."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, WeightQuantizer

__all__ = ["BayesWeight"]

_LEAST = 1e-6  # of a uniform sample, so that its logit is finite


@WEIGHTS.register("bayes_binn")
class BayesWeight(WeightQuantizer):
    """A relaxed sample of weights with natural parameters W; their mode at inference.

    ::

        w = tanh((W + d) / temperature),   d = log(u / (1 - u)) / 2,   u uniform on 0..1

    while training goes on, a fresh sample in each step; in its last part, outside a schedule and in
    evaluation ``sign(W)``, with the slope of ``tanh(W / temperature)``.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        until: Share of the schedule, 0..1, in which samples are drawn.
        temperature: Of the relaxation; towards 0 the samples are binary.
    """

    progress: Tensor

    def __init__(
        self, shape: tuple[int, ...], until: float = 0.9, temperature: float = 0.5
    ) -> None:
        super().__init__(shape)
        self.until, self.temperature = until, temperature
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return a sample, or the mode."""
        mode = (kernel / self.temperature).tanh()
        mode = mode + (sign(kernel) - mode).detach()
        if not self.training:
            return mode
        uniform = torch.rand_like(kernel).clamp(_LEAST, 1 - _LEAST)
        sample = ((kernel + uniform.logit() / 2) / self.temperature).tanh()
        return torch.where(self.progress < self.until, sample, mode)


register_method(
    Method(
        name="bayes_binn",
        kind="training",
        title="BayesBiNN",
        paper="Meng, Bachmann & Khan, Training Binary Neural Networks using the Bayesian Learning "
        "Rule, ICML 2020 (arXiv 2002.10778)",
        formula="y = sum(w * x), w = tanh((v + d) / t) with d = log(u / (1 - u)) / 2 and u uniform "
        "in training, w = sign(v) at inference; v = (1 - r) v - r N g / (1 - tanh(v)^2), with g "
        "the gradient to v through the sample. Weights alone are binary, as in the paper.",
        activation=None,
        weight="bayes_binn",
        config={
            "optim_wrapper": {
                "constructor": "LatentConstructor",
                # CIFAR-10's pictures ten times over, as the authors count what is shifted at random
                "optimizer": {"type": "BayesBiNN", "rate": 1e-3, "pictures": 500_000},
            }
        },
    )
)
