"""Charts whose annotated points lie beside their fields, by how high the chart is for its width.

A network that finds the fields errs, and where all points are tells by how much.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from binvision.landmarks import PointEstimator
from binvision.landmarks.annotations import read_point_set
from binvision.landmarks.crop import box_of
from tests.support.landmark_models import chart_points, draw_chart

__all__ = ["mean_error", "write_stretched_charts"]


def write_stretched_charts(folder: Path, count: int, seed: int = 0) -> Path:
    """Write pictures with ``.pts`` files beside them, which count points from 1."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(count):
        width, height = rng.uniform(100, 120), rng.uniform(75, 120)
        box = (60.0, 50.0, float(width), float(height))
        picture = draw_chart(np.full((240, 240, 3), 128, np.uint8), box)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        points = chart_points(box) + (1 + 8 * (height / width - 0.9), 0)
        rows = "".join(f"{x + 1:.4f} {y + 1:.4f}\n" for x, y in points)
        text = f"version: 1\nn_points: 68\n{{\n{rows}}}\n"
        (folder / f"{number}.pts").write_text(text)
    return folder


def mean_error(estimator: PointEstimator, folder: Path) -> float:
    """Mean distance of found from annotated points, pixels."""
    errors = []
    for picture in read_point_set(folder).pictures:
        found = estimator(picture.read(), box_of(picture.points)).points
        errors.append(np.linalg.norm(found - picture.points, axis=1).mean())
    return float(np.mean(errors))
