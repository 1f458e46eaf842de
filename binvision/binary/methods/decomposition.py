"""Kernels reconstructed from a matrix or tensor decomposition, then binarised."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.estimators import sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import WEIGHTS, SignWeight
from binvision.binary.steps import straight_through, unrounded

__all__ = ["MatrixWeight", "TuckerWeight", "mode_product"]

_BITS = 53  # of a float64 number
_EXPONENT = 0x7FF << 52  # where it holds its exponent
_LEAST = 2.0**-200  # power of two that stands for that of zeros

_PAPER = (
    "Bulat et al., Matrix and tensor decompositions for training binary neural networks, 2019 "
    "(arXiv 1904.07852)"
)


@WEIGHTS.register("matrix")
class MatrixWeight(SignWeight):
    """A factorised matrix in place of the filters.

    ::

        W = U V,  U (O, R),  V (R, C / groups, KH, KW),  w(W) = sign(W)

    The product is real and couples the filters; only its signs remain at inference, the same on
    every machine (:func:`mode_product`). V is the latent weight. U starts orthogonal, so that W
    starts normal, like independent filters. The gradient of the sign is clipped.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        rank: R; None is O.
    """

    def __init__(self, shape: tuple[int, ...], rank: int | None = None) -> None:
        super().__init__(shape, sign_clip)
        rank = rank or shape[0]
        self.latent_shape = (rank, *shape[1:])
        self.mixing = nn.Parameter(_orthogonal(shape[0], rank))

    def expand(self, latent: Tensor) -> Tensor:
        """Return the real kernel (O, C / groups, KH, KW)."""
        with unrounded(latent):
            return mode_product(self.mixing, latent, 0).to(latent.dtype)


@WEIGHTS.register("tucker")
class TuckerWeight(SignWeight):
    """A Tucker decomposition in place of the filters.

    ::

        W = [[G; U0, U1, U2, U3]],  w(W) = sign(W)

    with the core G, which is the latent weight, multiplied by a factor in each of its four modes
    (:func:`mode_product`). The factors start orthogonal. The gradient of the sign is clipped.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        ranks: Shape of G; None is ``shape``.
    """

    def __init__(self, shape: tuple[int, ...], ranks: tuple[int, ...] | None = None) -> None:
        super().__init__(shape, sign_clip)
        self.latent_shape = tuple(ranks or shape)
        self.factors = nn.ParameterList(
            nn.Parameter(_orthogonal(side, rank))
            for side, rank in zip(shape, self.latent_shape, strict=True)
        )

    def expand(self, latent: Tensor) -> Tensor:
        """Return the real kernel (O, C / groups, KH, KW)."""
        kernel = latent
        with unrounded(latent):
            for mode, factor in enumerate(self.factors):
                kernel = mode_product(factor, kernel, mode)
        return kernel.to(latent.dtype)


def mode_product(factor: Tensor, tensor: Tensor, mode: int) -> Tensor:
    """Multiply a tensor by a matrix in one of its modes, the same to the bit on every machine.

    ::

        y[.., i, ..] = sum over r of factor[i, r] * tensor[.., r, ..]

    Signs are taken of such sums, and where one is near zero its sign would hang on the order of the
    additions, which differs from a GPU to a CPU: one sign more or less in an early layer moves the
    answers of a network by percents. So both are first rounded to multiples of a power of two, to
    bits few enough for every sum to be an integer that float64 holds, 22 for R = 256. The gradient
    passes the rounding.

    Args:
        factor: Matrix (I, R).
        tensor: Tensor with R entries in ``mode``.
        mode: Which mode.

    Returns:
        The product, float64, with I entries in ``mode``.
    """
    bits = (_BITS - factor.shape[1].bit_length()) // 2
    rounded = (_round(values.double(), bits) for values in (factor, tensor))
    return torch.movedim(torch.tensordot(*rounded, dims=([1], [mode])), 0, mode)


def _round(values: Tensor, bits: int) -> Tensor:
    """Round float64 to multiples of 2^-bits of the power of two above the largest magnitude."""
    with torch.no_grad():
        # The exponent alone: logarithms are not the same everywhere.
        power = (values.abs().amax().view(torch.int64) & _EXPONENT).view(torch.float64)
        step = power.clamp(min=_LEAST) * 2.0 ** (1 - bits)
        rounded = torch.round(values / step) * step
    return straight_through(values, rounded)


def _orthogonal(rows: int, columns: int) -> Tensor:
    """Orthogonal (rows, columns), scaled so that unit variance stays unit variance."""
    matrix = nn.init.orthogonal_(torch.empty(rows, columns))
    return matrix * max(1.0, rows / columns) ** 0.5


for _name, _weight, _formula in (
    ("matrix", "matrix", "W = U V, U (O, O), V (O, C K K)"),
    ("tucker", "tucker", "W = [[G; U0, U1, U2, U3]], core G and a factor for each mode"),
):
    register_method(
        Method(
            name=f"decomposed_{_name}",
            kind="quantiser",
            title=f"Binarised {_name} decomposition",
            paper=_PAPER,
            formula=f"y[o] = alpha_o * sum(sign(W_o) * sign(x)), {_formula}, alpha learned; the "
            f"signs of the reconstruction alone remain at inference",
            activation="clip",
            weight=_weight,
            scale="learned",
        )
    )
