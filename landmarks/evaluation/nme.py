"""Normalised mean error (NME) of points, and the curve of how many subjects stay below an error.

For each subject e = mean_p |found_p - true_p| / length over its labelled points. Then

    NME             mean of e, in percent; over the subjects whose box was found
    AUC up to t     1/t * integral from 0 to t of the share of subjects with e <= x dx
                    = mean of max(0, 1 - e/t)
    failures at t   share of subjects with e > t, in percent

where a subject that was missed has an infinite e: it counts in the last two, not in the first.

References:
    Sagonas et al.: 300 Faces In-The-Wild Challenge, Image and Vision Computing 47, 2016.
    Yang et al.: An Empirical Study of Recent Face Alignment Methods, arXiv 1511.05049 (AUC).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.evaluation.lengths import lengths_of
from binvision.landmarks.evaluation.scores import CURVE_STEPS, Finding, Scores, distances
from binvision.landmarks.formats.points import PointSet

__all__ = ["HIDDEN", "VISIBLE", "Group", "NmeRules", "nme_scores"]

VISIBLE, HIDDEN = "visible", "hidden"


@dataclass(frozen=True)
class Group:
    """Part of a set that is measured apart.

    Attributes:
        name: In tables.
        subset: Of the pictures; empty for all.
        points: ``"visible"`` or ``"hidden"`` ones alone; empty for all.
    """

    name: str
    subset: str = ""
    points: str = ""


@dataclass(frozen=True)
class NmeRules:
    """How a benchmark counts.

    Attributes:
        lengths: What to divide by, the official one first.
        limit: Error t above which a subject is a failure, in lengths.
        groups: Parts that are measured apart, besides the whole.
        balanced: Name of the row with the mean of the figures of all groups; empty for none.
    """

    lengths: tuple[str, ...]
    limit: float
    groups: tuple[Group, ...] = ()
    balanced: str = ""


def nme_scores(data: PointSet, found: Sequence[Finding], rules: NmeRules) -> tuple[Scores, ...]:
    """Compute all rows: for each length the whole set, and then its groups.

    Args:
        data: The set.
        found: In each of its pictures.
        rules: Of the benchmark.
    """
    pixels = distances(data.pictures, found)
    visible = np.array([picture.visible for picture in data.pictures])
    subsets = [picture.subset.split(",") for picture in data.pictures]
    rows: list[Scores] = []
    for name in rules.lengths:
        lengths = lengths_of(name, data.scheme, data.pictures)
        if lengths is None:
            continue
        errors = pixels / lengths[:, None]
        of_groups = []
        for group in (Group(data.name), *rules.groups):
            chosen = np.array([not group.subset or group.subset in named for named in subsets])
            if group.subset and chosen.all():
                continue  # the row of the whole says it already
            kept = np.where(_counting(group, visible), errors, np.nan)[chosen]
            kept = kept[~np.isnan(kept).all(1)]
            if len(kept):
                of_groups.append(_row(group, name, kept, data, rules.limit))
        rows += of_groups
        if rules.balanced and len(of_groups) == 1 + len(rules.groups):
            rows.append(_mean(rules.balanced, of_groups[1:]))
    return tuple(rows)


def _counting(group: Group, visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if group.points == VISIBLE:
        return visible
    return ~visible if group.points == HIDDEN else np.ones_like(visible)


def _row(
    group: Group, length: str, errors: NDArray[np.float64], data: PointSet, limit: float
) -> Scores:
    """Figures of errors (N, P) in lengths; NaN where a point does not count."""
    of_subject = np.nanmean(errors, 1)
    missed = int(np.isinf(of_subject).sum())
    figures: dict[str, float | None] = {"NME %": _percent(of_subject)}
    if len(jaw := data.scheme.parts.get("jaw", ())) > 1:
        is_contour = np.isin(np.arange(errors.shape[1]), jaw)
        for name, part in (("contour %", is_contour), ("inner %", ~is_contour)):
            of_part = errors[:, part]
            of_part = of_part[~np.isnan(of_part).all(1)]
            figures[name] = _percent(np.nanmean(of_part, 1)) if len(of_part) else None
    figures["AUC"] = float(np.maximum(0, 1 - of_subject / limit).mean())
    figures["failures %"] = 100 * float((of_subject > limit).mean())
    thresholds = np.linspace(0, limit, CURVE_STEPS + 1)
    return Scores(
        group=group.name,
        length=length,
        pictures=len(errors),
        missed=missed,
        points=round(float((~np.isnan(errors)).sum(1).mean())),
        figures=figures,
        curve=tuple((of_subject[:, None] <= thresholds).mean(0).tolist()),
        limit=limit,
    )


def _percent(errors: NDArray[np.float64]) -> float | None:
    finite = errors[np.isfinite(errors)]
    return 100 * float(finite.mean()) if len(finite) else None


def _mean(name: str, rows: Sequence[Scores]) -> Scores:
    """Mean of the figures of several groups, whatever their sizes."""
    figures: dict[str, float | None] = {}
    for key in rows[0].figures:
        values = [value for row in rows if (value := row.figures[key]) is not None]
        figures[key] = float(np.mean(values)) if len(values) == len(rows) else None
    return Scores(
        group=name,
        length=rows[0].length,
        pictures=sum(row.pictures for row in rows),
        missed=sum(row.missed for row in rows),
        points=rows[0].points,
        figures=figures,
        curve=tuple(np.mean([row.curve for row in rows], 0).tolist()),
        limit=rows[0].limit,
    )
