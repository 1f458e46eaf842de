"""Binary weights under activations of few bits, by linear or logarithmic levels."""

from __future__ import annotations

from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS
from binvision.binary.steps import StepActivation

__all__ = ["LinearActivation", "LogarithmicActivation"]

_PAPER = (
    "Huang, Ni & Yang, Efficient Quantization for Neural Networks with Binary Weights and Low "
    "Bitwidth Activations, AAAI 2019"
)


@ACTIVATIONS.register("linear_levels")
class LinearActivation(StepActivation):
    """A clipped rectifier in n = 2^k - 1 even steps.

    ::

        a(x) = top / n * round(n / top * min(max(x, 0), top))

    The gradient is the clipped rectifier's: 1 where ``0 <= x <= top``.

    Args:
        channels: Input channels.
        bits: Bits k, 1 to 3.
        top: The greatest level.
    """

    def __init__(self, channels: int, bits: int = 2, top: float = 1.5) -> None:
        count = 2**bits - 1
        step = top / count
        super().__init__(
            channels,
            [step * (i + 0.5) for i in range(count)],
            [step * (i + 1) for i in range(count)],
            (0.0, top),
        )


@ACTIVATIONS.register("logarithmic_levels")
class LogarithmicActivation(StepActivation):
    """A clipped rectifier whose levels are powers of two times ``top``, and 0.

    ::

        a(x) = top * 2^round(log2(min(x / top, 1))) where that exponent is above -n, else 0

    with n = 2^k - 1 levels above 0. The gradient is the clipped rectifier's.

    Args:
        channels: Input channels.
        bits: Bits k, 1 to 3.
        top: The greatest level.
    """

    def __init__(self, channels: int, bits: int = 2, top: float = 1.5) -> None:
        exponents = range(2 - 2**bits, 1)
        super().__init__(
            channels,
            [top * 2.0 ** (exponent - 0.5) for exponent in exponents],
            [top * 2.0**exponent for exponent in exponents],
            (0.0, top),
        )


register_method(
    Method(
        name="huang_linear",
        kind="quantiser",
        title="Mixed quantisers: binary weights, activations of 2 linear bits",
        paper=_PAPER,
        formula="y[o] = mean |W_o| * sum(sign(W_o) * q(x)), q(x) = t/3 * round(3/t * "
        "min(max(x, 0), t)), t = 1.5: three planes and one of ones, which makes up "
        "for bits of 0 and 1",
        activation={"type": "linear_levels", "bits": 2},
        weight="clip",
        scale="mean",
    )
)
register_method(
    Method(
        name="huang_log",
        kind="quantiser",
        title="Mixed quantisers: binary weights, activations of 2 logarithmic bits",
        paper=_PAPER,
        formula="y[o] = mean |W_o| * sum(sign(W_o) * q(x)), q(x) the nearest of 0, t/4, t/2, t by "
        "rounding log2(x / t), t = 1.5: three planes and one of ones",
        activation={"type": "logarithmic_levels", "bits": 2},
        weight="clip",
        scale="mean",
    )
)
