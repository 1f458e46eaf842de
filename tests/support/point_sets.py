"""Small sets of points in COCO's JSON, with pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

__all__ = ["keypoints_row", "write_keypoints_json"]


def keypoints_row(points: np.ndarray, flags: Sequence[int] | int = 2) -> list[float]:
    """``keypoints`` of an annotation from points (P, 2) and the flag of each, or of all."""
    column = np.broadcast_to(np.asarray(flags, float), len(points))
    return np.column_stack([np.where(column[:, None] > 0, points, 0), column]).ravel().tolist()


def write_keypoints_json(
    folder: Path,
    rows: Sequence[tuple[str, Sequence[float]]],
    names: Sequence[str] = (),
    **further: Any,
) -> Path:
    """Write ``points.json`` and grey pictures, 80 x 60, that its rows (file, keypoints) name."""
    folder.mkdir(parents=True, exist_ok=True)
    files = list(dict.fromkeys(file for file, _ in rows))
    for file in files:
        cv2.imwrite(str(folder / file), np.full((60, 80, 3), 90, np.uint8))
    document = {
        "images": [{"id": index, "file_name": file} for index, file in enumerate(files)],
        "annotations": [
            {
                "id": 100 + index,
                "image_id": files.index(file),
                "category_id": 1,
                "bbox": [1.0, 2.0, 30.0, 40.0],
                "keypoints": list(keypoints),
                **further,
            }
            for index, (file, keypoints) in enumerate(rows)
        ],
        "categories": [{"id": 1, "name": "subject", "keypoints": list(names)}],
    }
    path = folder / "points.json"
    path.write_text(json.dumps(document))
    return path
