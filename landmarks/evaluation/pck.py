"""Percentage of correct keypoints (PCK): joints that lie within a part of a length of the truth.

A joint is correct where |found - true| <= t * length. Each joint's figure is the share of subjects,
of those that have it labelled, in which it is correct; left and right joints are averaged. The mean
is over all labelled joints, so that a joint counts as often as it is labelled.

MPII's PCKh takes t = .5 and the head's size, .6 times the diagonal of its box; pelvis and thorax
are shown but do not enter the mean, as in its official evaluation. PCK@.2 of the torso is usual on
LSP.

References:
    Andriluka et al.: 2D Human Pose Estimation: New Benchmark and State of the Art Analysis,
    CVPR 2014. Yang & Ramanan: Articulated Human Detection with Flexible Mixtures of Parts,
    PAMI 35(12), 2013.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.evaluation.lengths import lengths_of
from binvision.landmarks.evaluation.scores import CURVE_STEPS, Finding, Scores, distances
from binvision.landmarks.formats.points import PointSet
from binvision.landmarks.schemes import Scheme

__all__ = ["PckRules", "pck_scores"]

_NOT_IN_THE_MEAN = ("pelvis", "thorax")  # of MPII


@dataclass(frozen=True)
class PckRules:
    """How a benchmark counts: what to divide by, and the thresholds for it, the official first."""

    lengths: tuple[tuple[str, tuple[float, ...]], ...]


def pck_scores(data: PointSet, found: Sequence[Finding], rules: PckRules) -> tuple[Scores, ...]:
    """Compute a row for each length that the set has, and each threshold.

    Args:
        data: The set; subjects without the length do not count.
        found: In each of its pictures.
        rules: Of the benchmark.
    """
    pixels = distances(data.pictures, found)
    rows = []
    for name, thresholds in rules.lengths:
        lengths = lengths_of(name, data.scheme, data.pictures)
        if lengths is None:
            continue
        errors = (pixels / lengths[:, None])[~np.isnan(lengths)]
        rows += [_row(errors, name, threshold, data) for threshold in thresholds]
    return tuple(rows)


def _row(errors: NDArray[np.float64], length: str, threshold: float, data: PointSet) -> Scores:
    scheme = data.scheme
    in_mean = np.array([name not in _NOT_IN_THE_MEAN for name in scheme.points])
    labelled = ~np.isnan(errors)
    correct = labelled & (errors <= threshold)
    counts = labelled.sum(0)
    with np.errstate(invalid="ignore"):
        of_joint = 100 * correct.sum(0) / counts
    of_all = _share(correct[:, in_mean], labelled[:, in_mean])
    figures: dict[str, float | None] = {"PCK %": of_all}
    for name, places in _joints(scheme).items():
        values = of_joint[places]
        figures[f"{name} %"] = float(values.mean()) if np.isfinite(values).all() else None
    steps = np.linspace(0, threshold, CURVE_STEPS + 1)
    of_mean = errors[:, in_mean][labelled[:, in_mean]]
    return Scores(
        group=data.name,
        length=length,
        pictures=len(errors),
        missed=int(np.isinf(errors).any(1).sum()),
        points=int(in_mean.sum()),
        figures=figures,
        curve=tuple((of_mean[:, None] <= steps).mean(0).tolist()) if len(of_mean) else (),
        limit=threshold,
    )


def _share(correct: NDArray[np.bool_], labelled: NDArray[np.bool_]) -> float | None:
    return 100 * float(correct.sum() / labelled.sum()) if labelled.any() else None


def _joints(scheme: Scheme) -> dict[str, list[int]]:
    """Names of joints without their side, from the head down, and their indices."""
    found: dict[str, list[int]] = {}
    for index, name in enumerate(scheme.points):
        joint = name.removeprefix("left_").removeprefix("right_")
        found.setdefault(joint, []).append(index)
    order = ("head_top", "neck", "thorax", "shoulder", "elbow", "wrist", "pelvis", "hip", "knee")
    first = [name for name in order if name in found]
    return {name: found[name] for name in (*first, *(n for n in found if n not in first))}
