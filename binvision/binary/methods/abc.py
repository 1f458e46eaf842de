"""ABC-Net: several binary kernels and several binary planes of the input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, WEIGHTS, ActivationQuantizer, WeightQuantizer

__all__ = ["AbcActivation", "AbcWeight"]


@ACTIVATIONS.register("abc")
class AbcActivation(ActivationQuantizer):
    """Planes with learned thresholds and coefficients (section 3.2).

    ::

        A[m] = sign(x + shift[m]),  a(x) = sum over m of beta[m] * A[m]

    The paper's v is ``shift + 0.5``. The gradient passes through a plane where
    ``|x + shift| <= 0.5``.

    Args:
        channels: Input channels.
        planes: Planes M, 1 to 16.
    """

    def __init__(self, channels: int, planes: int = 3) -> None:
        super().__init__(channels)
        self.shift = nn.Parameter(-(torch.arange(planes) + 0.5) / planes)
        self.beta = nn.Parameter(torch.full((planes,), 1 / planes))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``sum(beta[m] * A[m])``, (N, C, H, W)."""
        shifted = x + self.shift.view(-1, 1, 1, 1, 1).to(x.dtype)
        passing = shifted.clamp(-0.5, 0.5)
        planes = passing + (sign(shifted) - passing).detach()
        return (self.beta.view(-1, 1, 1, 1, 1).to(x.dtype) * planes).sum(0)

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return thresholds (M, 1) and coefficients (M,)."""
        return -self.shift.unsqueeze(1), self.beta


@WEIGHTS.register("abc")
class AbcWeight(WeightQuantizer):
    """Kernels at several thresholds, with the coefficients nearest to W (section 3.1).

    ::

        B[k] = sign(W - mean(W) + u[k] * std(W)),  u from -1 to 1, evenly
        a    = argmin |W - sum over k of a[k] * B[k]|^2

    Channel by channel, the paper's finer variant. The gradient passes through each B as it is, with
    ``a`` held constant. Where kernels coincide, the smallest of the equally good solutions is
    taken.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        bases: Kernels K, 1 to 16.
    """

    spread: Tensor

    def __init__(self, shape: tuple[int, ...], bases: int = 3) -> None:
        super().__init__(shape)
        spread = torch.linspace(-1, 1, bases) if bases > 1 else torch.zeros(1)
        self.register_buffer("spread", spread, persistent=False)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return ``sum(a[k] * B[k])``, (O, C / groups, KH, KW)."""
        signs, coefficients = self.bases(kernel.detach())
        coefficients = coefficients.view(len(signs), -1, 1, 1, 1)
        return (coefficients * (signs + (kernel - kernel.detach()))).sum(0)

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the kernels (K, O, C / groups, KH, KW) and coefficients (K, 1, O)."""
        mean = kernel.mean(dim=(1, 2, 3), keepdim=True)
        deviation = kernel.std(dim=(1, 2, 3), keepdim=True, correction=0)
        signs = sign(kernel - mean + self.spread.view(-1, 1, 1, 1, 1) * deviation)
        columns = signs.double().flatten(2).transpose(0, 1)  # O, K, n
        gram = columns @ columns.transpose(1, 2)
        projection = columns @ kernel.double().flatten(1).unsqueeze(2)
        solution = torch.linalg.pinv(gram, hermitian=True) @ projection
        return signs, solution.squeeze(2).t().unsqueeze(1).to(kernel.dtype)


register_method(
    Method(
        name="abc",
        kind="quantiser",
        title="ABC-Net, three bases and three planes",
        paper="Lin et al., Towards Accurate Binary Convolutional Neural Network, NeurIPS 2017 "
        "(arXiv 1711.11294)",
        formula="y = sum over m, k of beta[m] * a[k] * sum(B[k] * A[m]); "
        "B[k] = sign(W - mean(W) + u[k] std(W)), a = argmin |W - sum a[k] B[k]|^2 (eq. 2 to 4), "
        "A[m] = sign(x + shift[m]) (eq. 9)",
        activation="abc",
        weight="abc",
    )
)
