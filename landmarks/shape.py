"""How the points of a subject go together: each is corrected by where all of them are.

A network finds each point on a map of its own, so much of its error is independent of its
neighbours', while true points vary together (Cootes et al., Active Shape Models, CVIU 1995). With p
the points as complex numbers x + iy, m the mean shape, and t + a m the shape closest to p by least
squares,

    z = (p - t) / a - m
    p' = p + a (W z + b)

where W, real and (2P, 2P), acts on real and imaginary parts. W and b are learned: ridge regression
from what a network finds on annotated pictures to the errors that it makes there
(:mod:`binvision.landmarks.shape_learning`). The correction turns, moves and scales with the points.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError

__all__ = ["ShapeCorrection", "relative_points", "similarity_to"]

_LEAST_SIZE = 1e-3  # of found points over the mean shape's: below it they are one heap
_FARTHEST = 1e5  # of corrected points from the crop's origin, pixels

Complex = NDArray[np.complex128]


def similarity_to(mean: Complex, points: Complex) -> tuple[Complex, Complex]:
    """Shift and complex factor that bring a centred mean shape closest to sets of points.

    Args:
        mean: (P,), its mean 0, its mean square 1.
        points: (..., P).

    Returns:
        t and a, (..., 1) each, with t + a mean near the points.
    """
    shift = points.mean(-1, keepdims=True)
    factor = (points - shift) @ mean.conj()[:, None] / len(mean)
    return shift, factor


def relative_points(mean: Complex, points: Complex) -> tuple[NDArray[np.float64], Complex]:
    """Points in the frame of the mean shape, less that shape.

    Args:
        mean: (P,), its mean 0, its mean square 1.
        points: (..., P).

    Returns:
        z as real numbers (..., 2P), first all x, then all y; and the factors a (..., 1).
    """
    shift, factor = similarity_to(mean, points)
    z = (points - shift) / factor - mean
    return np.concatenate((z.real, z.imag), -1), factor


class ShapeCorrection:
    """Corrects points by each other.

    Args:
        mean: (P, 2) float, the mean shape.
        weight: (2P, 2P) int8; W is weight times scale.
        scale: (2P,) float32, a factor for each row of W, positive.
        bias: (2P,) float32.
    """

    def __init__(
        self,
        mean: NDArray[np.float32],
        weight: NDArray[np.int8],
        scale: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> None:
        self._tables = {"mean": mean, "weight": weight, "scale": scale, "bias": bias}
        values = np.asarray(mean, np.float64)
        centred: Complex = values[:, 0] + 1j * values[:, 1]
        centred = centred - centred.mean()
        size = np.sqrt((np.abs(centred) ** 2).mean())
        self._mean = centred / size if size > 0 else centred
        self._weight = weight.astype(np.float64) * np.asarray(scale, np.float64)[:, None]
        self._bias = np.asarray(bias, np.float64)

    @classmethod
    def from_tables(
        cls, tables: Mapping[str, NDArray[np.generic]], count: int, where: str
    ) -> ShapeCorrection:
        """Build from the tables of a packed model.

        Args:
            tables: As :meth:`tables` gives them.
            count: Number of points.
            where: What messages call the model.

        Raises:
            ModelError: A table is missing, unknown, or of another type or shape.
        """
        expected = {
            "mean": (np.float32, (count, 2)),
            "weight": (np.int8, (2 * count, 2 * count)),
            "scale": (np.float32, (2 * count,)),
            "bias": (np.float32, (2 * count,)),
        }
        found = {role: (table.dtype.type, table.shape) for role, table in tables.items()}
        if found != expected:
            raise ModelError(
                f"model {where}: its tables do not fit a shape of {count} points: expected "
                f"{_words(expected)}; found {_words(found)}; refine it again"
            )
        return cls(**tables)  # type: ignore[arg-type]

    def tables(self) -> dict[str, NDArray[np.generic]]:
        """Return what a packed model stores."""
        return dict(self._tables)  # type: ignore[arg-type]

    def __call__(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Correct the points (P, 2) of one subject, x, y in pixels.

        Points in one heap, or nothing like the mean shape, stay where they are.

        Raises:
            ModelError: The tables throw points to where none can be.
        """
        found = points.astype(np.float64).view(np.complex128)[:, 0]
        shift, factor = similarity_to(self._mean, found)
        spread = np.sqrt((np.abs(found - shift) ** 2).mean())
        if np.abs(factor[0]) <= _LEAST_SIZE * max(spread, _LEAST_SIZE):
            return points
        z, factor = relative_points(self._mean, found)
        change = self._weight @ z + self._bias
        count = len(points)
        moved = found + factor * (change[:count] + 1j * change[count:])
        if not (np.abs(moved) <= _FARTHEST).all():
            raise ModelError(
                "the correction of its points is far beyond that of any face or person: refine the "
                "model again, or fetch it again"
            )
        return moved[:, None].view(np.float64).astype(np.float32)


def _words(tables: Mapping[str, tuple[type, tuple[int, ...]]]) -> str:
    each = (
        f"{role} {kind.__name__} {'x'.join(map(str, shape))}"
        for role, (kind, shape) in sorted(tables.items())
    )
    return ", ".join(each) or "none"
