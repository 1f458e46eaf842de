"""The figures of the tracking benchmarks from their papers, frame by frame, in plain Python.

Slow and kept as the truth: no array arithmetic, and nothing of the product or of the toolkit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Annotated", "center_error", "degenerate", "figures", "overlap", "plausible", "share"]


@dataclass(frozen=True)
class Annotated:
    """One sequence and one track of it.

    Attributes:
        truth: [N, 4] x, y, w, h; NaN where there is none.
        tracked: [N, 4]; row 0 stands for the truth itself.
        cover: [N] visible eighths of the target, 0..8.
        size_wh: Size of the picture.
    """

    truth: np.ndarray
    tracked: np.ndarray
    cover: np.ndarray
    size_wh: tuple[int, int] = (320, 240)


def share(values: list[bool]) -> float:
    return sum(values) / len(values)


def overlap(a: np.ndarray, b: np.ndarray, size_wh: tuple[int, int] | None = None) -> float:
    """Intersection over union of two boxes, within a picture where a size is given."""
    if not all(map(math.isfinite, [*a, *b])):
        return 0.0
    if size_wh is not None:
        a, b = _clipped(a, size_wh), _clipped(b, size_wh)
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def center_error(a: np.ndarray, b: np.ndarray, *, normalised: bool = False) -> float:
    """Distance of the centres in pixels, or in sizes of the true box ``b``."""
    if not all(map(math.isfinite, [*a, *b])):
        return math.inf
    x, y = a[0] + a[2] / 2 - b[0] - b[2] / 2, a[1] + a[3] / 2 - b[1] - b[3] / 2
    if not normalised:
        return math.hypot(x, y)
    return math.hypot(x / b[2], y / b[3]) if b[2] > 0 and b[3] > 0 else math.inf


def figures(rules: str, sequences: list[Annotated]) -> dict[str, float | list[float]]:
    """What an official report says of one tracker, by the names of ours."""
    each = [_of_sequence(rules, sequence) for sequence in sequences]
    if rules == "got10k":
        followed = [value for one in each for value in one["followed"]]
        return _of_overlaps(followed) | {
            "success": [share([o > k / 100 for o in followed]) for k in range(101)]
        }
    result: dict[str, float | list[float]] = {}
    for name in ("ao", "sr50", "sr75", "success_auc", "precision", "normalised_precision"):
        result[name] = sum(one[name] for one in each) / len(each)
    curves = [one["success"] for one in each]
    result["success"] = [sum(column) / len(each) for column in zip(*curves, strict=True)]
    return result


def _of_sequence(rules: str, sequence: Annotated) -> dict[str, float | list[float]]:
    size_wh = sequence.size_wh if rules == "got10k" else None
    overlaps, errors, normalised = [], [], []
    for index, (a, b) in enumerate(zip(sequence.tracked, sequence.truth, strict=True)):
        if index == 0:
            overlaps, errors, normalised = [1.0], [0.0], [0.0]
        elif _counts(rules, b, sequence.cover[index]):
            overlaps.append(overlap(a, b, size_wh))
            errors.append(center_error(a, b))
            normalised.append(center_error(a, b, normalised=True))
    success = [share([o > k / 20 for o in overlaps]) for k in range(21)]
    precise = [share([e <= k / 100 for e in normalised]) for k in range(51)]
    return _of_overlaps(overlaps[1:]) | {
        "followed": overlaps[1:],
        "success": success,
        "success_auc": sum(success) / 21,
        "precision": share([e <= 20 for e in errors]),
        "normalised_precision": sum(precise) / 51,
    }


def _of_overlaps(followed: list[float]) -> dict[str, float]:
    return {
        "ao": sum(followed) / len(followed),
        "sr50": share([o > 0.5 for o in followed]),
        "sr75": share([o > 0.75 for o in followed]),
    }


def _counts(rules: str, truth: np.ndarray, cover: float) -> bool:
    if rules == "got10k":
        return bool(cover > 0)
    if rules == "otb":  # a frame without a true box is a miss
        return True
    has_box = not any(map(math.isnan, truth))
    return has_box and (rules == "uav" or (truth[2] > 0 and truth[3] > 0))


def _clipped(box: np.ndarray, size_wh: tuple[int, int]) -> list[float]:
    """GOT-10k's way: the corner moves into the picture, and the size shrinks to what is left."""
    corner = [min(max(value, 0), limit) for value, limit in zip(box[:2], size_wh, strict=True)]
    return corner + [
        min(max(value, 0), limit - start)
        for value, start, limit in zip(box[2:], corner, size_wh, strict=True)
    ]


# Tracks to score


def plausible(seed: int, count: int = 60) -> Annotated:
    """Jitter around a moving target that is lost at times, hidden at times, and leaves."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate(
        [rng.uniform(-20, 300, (count, 2)), rng.uniform(0.5, 150, (count, 2))], axis=1
    )
    tracked = truth + rng.normal(0, rng.choice([0.1, 5, 60]), truth.shape)
    tracked[rng.random(count) < 0.1] += 1000
    cover = rng.integers(0, 9, count)
    cover[:2] = 8
    return Annotated(truth.round(3), tracked.round(3), cover)


def degenerate() -> dict[str, Annotated]:
    """What goes wrong with boxes, one thing each."""
    truth = np.array([[10.0, 20, 30, 40]] * 6)
    tracks = {
        "perfect": truth,
        "two frames": truth[:2],
        "touching": truth + [30.0, 0, 0, 0],
        "lost": truth + [200.0, 150, 0, 0],
        "outside the picture": truth - [500.0, 500, 0, 0],
        "far away": truth + 1e9,
        "half outside": truth - [25.0, 40, 0, 0],
        "no area": truth * [1.0, 1, 0, 1],
        "negative size": truth * [1.0, 1, -1, -1],
        "a point inside": np.array([[15.0, 25, 1e-6, 1e-6]] * 6),
        "the whole plane": np.array([[-1e7, -1e7, 2e7, 2e7]] * 6),
    }
    return {
        name: Annotated(truth[: len(tracked)], tracked, np.full(len(tracked), 8))
        for name, tracked in tracks.items()
    }
