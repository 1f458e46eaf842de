"""Learning how points go together from what a network finds on annotated pictures.

Each picture is looked at several times, its crop moved, scaled, turned and mirrored by chance. The
ridge penalty is the one with the least error on pictures left out, a fifth at a time; with it the
correction is fitted to all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError
from binvision.landmarks.annotations import PointPicture, PointSet
from binvision.landmarks.crop import box_of, crop_matrix, crop_of_box, to_crop
from binvision.landmarks.estimator import PointEstimator
from binvision.landmarks.shape import Complex, ShapeCorrection, relative_points

__all__ = ["LearnedShape", "fit", "learn_shape"]

_PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
_FOLDS = 5
_LEAST_PICTURES = 50
_SHIFT = 0.04  # of the crop's centre, over the longer side of the box
_SCALE = 0.06  # of the crop's side, as a logarithm
_TURN = 10.0  # degrees


@dataclass(frozen=True)
class LearnedShape:
    """A correction, and how it was learned.

    Attributes:
        correction: What was learned, from all pictures.
        pictures: Their number.
        crops: Number of crops of them.
        penalty: The ridge penalty that was chosen.
        before: Mean distance between found and true points, over the size of the true shape (root
            mean square distance from its centre), of all crops.
        after: The same with corrections that were learned without the picture.
    """

    correction: ShapeCorrection
    pictures: int
    crops: int
    penalty: float
    before: float
    after: float


def learn_shape(
    estimator: PointEstimator,
    sets: Sequence[PointSet],
    *,
    crops: int = 6,
    seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> LearnedShape:
    """Learn a correction for a network.

    Args:
        estimator: The network, without a correction of its own.
        sets: Annotated pictures; those that lack a point are left out.
        crops: How often each picture is looked at.
        seed: Of the crops' places, and of the parts that are left out.
        progress: Is called after each picture.

    Raises:
        DataError: There are too few pictures with all points, or their points are one heap.
        SourceError: A picture is damaged.
    """
    count = len(estimator.scheme.points)
    pictures = [
        picture
        for each in sets
        for picture in each.pictures
        if len(picture.points) == count and np.isfinite(picture.points).all()
    ]
    if len(pictures) < _LEAST_PICTURES:
        raise DataError(
            f"{len(pictures)} pictures with all {count} points: how they go together needs "
            f"{_LEAST_PICTURES} or more"
        )
    generator = np.random.default_rng(seed)
    found, true = [], []
    for picture in pictures:
        for one, other in _look(estimator, picture, crops, generator):
            found.append(one)
            true.append(other)
        progress()
    parts = np.repeat(generator.permutation(len(pictures)) % _FOLDS, crops)
    return fit(_complex(found), _complex(true), parts, len(pictures))


def _look(
    estimator: PointEstimator, picture: PointPicture, crops: int, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Found and true points of some crops of a picture, in pixels of the crop."""
    image, settings = picture.read(), estimator.settings
    centre, side = crop_of_box(box_of(picture.points), settings.crop)
    for index in range(crops):
        moved = np.asarray(centre) + _SHIFT * side / settings.crop * generator.standard_normal(2)
        scaled = side * float(np.exp(_SCALE * generator.standard_normal()))
        angle = _TURN * float(generator.standard_normal())
        mirror = bool(estimator.scheme.mirror) and index % 2 == 1
        matrix = crop_matrix(moved.tolist(), scaled, settings.input_size, angle, mirror)
        true = to_crop(picture.points, matrix)
        if mirror:
            true = true[list(estimator.scheme.mirror)]
        yield to_crop(estimator.points_of_crop(image, matrix).points, matrix), true


def _complex(points: Sequence[NDArray[np.float32]]) -> Complex:
    values = np.ascontiguousarray(points, np.float64)
    return values.view(np.complex128)[..., 0]


def fit(found: Complex, true: Complex, parts: NDArray[np.int_], pictures: int) -> LearnedShape:
    """Fit a correction to found and true points, both (N, P), x + iy.

    Args:
        found: What a network found in N crops.
        true: What is there.
        parts: (N,), 0 to 4: which part a crop belongs to; crops of a picture to the same one.
        pictures: Number of pictures that the crops are of.
    """
    mean = _mean_shape(true)
    inputs, factors = relative_points(mean, found)
    errors = (true - found) / factors
    targets = np.concatenate((errors.real, errors.imag), -1)
    sizes = np.sqrt((np.abs(true - true.mean(-1, keepdims=True)) ** 2).mean(-1))

    def left(change: NDArray[np.float64], where: NDArray[np.bool_] | slice) -> NDArray[np.float64]:
        moved = found[where] + factors[where] * (
            change[:, : len(mean)] + 1j * change[:, len(mean) :]
        )
        distances: NDArray[np.float64] = np.abs(moved - true[where]).mean(-1) / sizes[where]
        return distances

    totals = dict.fromkeys(_PENALTIES, 0.0)
    for part in range(_FOLDS):
        out = parts == part
        ridge = _Ridge(inputs[~out], targets[~out])
        for penalty in _PENALTIES:
            weight, bias = ridge.solve(penalty)
            totals[penalty] += left(inputs[out] @ weight + bias, out).sum()
    penalty = min(totals, key=lambda each: totals[each])
    weight, bias = _Ridge(inputs, targets).solve(penalty)
    return LearnedShape(
        _rounded(mean, weight.T, bias),
        pictures,
        len(found),
        penalty,
        before=float(left(np.zeros_like(targets), slice(None)).mean()),
        after=totals[penalty] / len(found),
    )


def _mean_shape(shapes: Complex) -> Complex:
    """Mean of shapes that are turned and scaled to the first one; mean 0, mean square 1."""
    centred = shapes - shapes.mean(-1, keepdims=True)
    sizes = np.sqrt((np.abs(centred) ** 2).mean(-1, keepdims=True))
    if not (sizes > 0).all():
        raise DataError("all points of a picture are in one place; leave such pictures out")
    unit = centred / sizes
    turned = unit * np.exp(-1j * np.angle(unit @ unit[0].conj()))[:, None]
    mean: Complex = turned.mean(0)
    return mean / np.sqrt((np.abs(mean) ** 2).mean())


class _Ridge:
    """Least squares with a penalty on weights, each in the deviations of its input."""

    def __init__(self, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> None:
        self._means = inputs.mean(0), targets.mean(0)
        centred = inputs - self._means[0]
        self._square = centred.T @ centred
        self._product = centred.T @ (targets - self._means[1])
        self._variances = np.diag(self._square) / len(inputs)

    def solve(self, penalty: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weights (inputs, targets) and biases (targets,)."""
        least = 1e-12 * self._variances.max()  # an input that never varies has the weight 0
        diagonal = np.diag(penalty * np.maximum(self._variances, least))
        weight = np.linalg.solve(self._square + diagonal, self._product)
        return weight, self._means[1] - self._means[0] @ weight


def _rounded(
    mean: Complex, weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> ShapeCorrection:
    """Round the weights to 8 bits, row by row."""
    scale = np.maximum(np.abs(weight).max(1) / 127, np.finfo(np.float32).tiny)
    return ShapeCorrection(
        np.stack((mean.real, mean.imag), 1).astype(np.float32),
        np.rint(weight / scale[:, None]).astype(np.int8),
        scale.astype(np.float32),
        bias.astype(np.float32),
    )
