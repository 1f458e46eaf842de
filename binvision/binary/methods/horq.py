"""HORQ: activations as a sum of signs of what is left."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.estimators import sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, ActivationQuantizer

__all__ = ["HorqActivation"]


@ACTIVATIONS.register("horq")
class HorqActivation(ActivationQuantizer):
    """High-order residual quantisation.

    ::

        R[0] = x,  H[k] = sign(R[k-1]),  R[k] = R[k-1] - beta[k] * H[k]
        a(x) = sum over k of beta[k] * H[k],  beta[k] = mean |R[k-1]|

    The paper takes ``beta`` from each input, at inference too. Here it is the running mean of
    training (the values that the layer saw), one number a layer and order, so that the signs of
    residuals become planes with constant thresholds. Of two orders::

        a(x) = (beta[1] - beta[2]) * sign(x) + beta[2] * (sign(x - beta[1]) + sign(x + beta[1]))

    and in general K orders are ``2^K - 1`` planes. The gradient is the chain rule's, with a sign's
    slope of 1 where ``|R| <= 1`` and ``beta`` held constant.

    Args:
        channels: Input channels.
        order: Orders K, 1 to 4.
        momentum: Share of the newest batch in ``beta``.
    """

    beta: Tensor

    def __init__(self, channels: int, order: int = 2, momentum: float = 0.1) -> None:
        super().__init__(channels)
        self._momentum = momentum
        # Of the normal distribution, which a batch norm before the layer comes near.
        rest = torch.special.ndtri((torch.arange(4096, dtype=torch.float64) + 0.5) / 4096)
        beta = []
        for _ in range(order):
            beta.append(rest.abs().mean())
            rest = rest - beta[-1] * rest.sign()
        self.register_buffer("beta", torch.stack(beta).float())

    def forward(self, x: Tensor) -> Tensor:
        """Return ``sum(beta[k] * H[k])``, (N, C, H, W); in training, follow ``beta``."""
        rest, terms, means = x, [], []
        for beta in self.beta.to(x.dtype).clone():
            means.append(rest.detach().abs().mean(dtype=self.beta.dtype))
            term = beta * sign_clip(rest)
            terms.append(term)
            rest = rest - term
        if self.training:
            with torch.no_grad():
                self.beta.lerp_(torch.stack(means), self._momentum)
        return torch.stack(terms).sum(0) if len(terms) > 2 else sum(terms[1:], terms[0])

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return thresholds (2^K - 1, 1) and coefficients (2^K - 1,)."""
        thresholds, coefficients = self.beta.new_empty(0), self.beta.new_empty(0)
        for beta in self.beta.flip(0):
            # The rest is quantised around beta on the right of zero and around -beta on the left.
            thresholds = torch.cat(
                [
                    beta.new_zeros(1),
                    (thresholds + beta).clamp(min=0),
                    (thresholds - beta).clamp(max=0),
                ]
            )
            first = (beta - coefficients.sum()).unsqueeze(0)
            coefficients = torch.cat([first, coefficients, coefficients])
        return thresholds.unsqueeze(1), coefficients


register_method(
    Method(
        name="horq",
        kind="quantiser",
        title="HORQ, two orders",
        paper="Li et al., Performance Guaranteed Network Acceleration via High-Order Residual "
        "Quantization, ICCV 2017 (arXiv 1708.08687)",
        formula="y[o] = mean |W_o| * sum(sign(W_o) * (b1 H1 + b2 H2)); H1 = sign(x), "
        "H2 = sign(x - b1 H1), b1 = mean |x|, b2 = mean |x - b1 H1|. The paper takes "
        "b1 and b2 from each input; here they are the running means of training, so that "
        "b1 H1 + b2 H2 = (b1 - b2) sign(x) + b2 (sign(x - b1) + sign(x + b1)): three planes.",
        activation="horq",
        weight="clip",
        scale="mean",
    )
)
