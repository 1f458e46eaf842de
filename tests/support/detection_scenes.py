"""Detection data whose objects can be found again in whatever is made of the pictures.

Pictures are black. Objects of class ``left`` are blue, those of class ``right`` green, and so no
flip or turn can mix them up unseen; they are full boxes, or ellipses that touch their boxes.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

__all__ = ["CLASSES", "write_scenes"]

CLASSES = ("left", "right")
_COLOURS = ((255, 0, 0), (0, 255, 0))
_SIZE_HW = (120, 160)


def write_scenes(
    root: Path, pictures: int = 4, objects: int = 3, *, shape: str = "box", empty: int = 1
) -> Path:
    """Write ``root/set.json`` and the pictures beside it; further ``empty`` ones have no object."""
    folder = root / "set"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images, rows = [], []
    for number in range(pictures + empty):
        height, width = _SIZE_HW[0] + 8 * number, _SIZE_HW[1]
        picture = np.zeros((height, width, 3), np.uint8)
        count = objects if number < pictures else 0
        for place in range(count):
            # One object a column of the picture, so that none hides another.
            w, h = (int(side) for side in rng.integers(14, min(50, width // objects - 4), 2))
            x = place * width // objects + int(rng.integers(2, width // objects - w - 1))
            y = int(rng.integers(2, height - h - 2))
            label = int(rng.integers(2))
            if shape == "box":
                picture[y : y + h, x : x + w] = _COLOURS[label]
            else:
                _ellipse(picture, (x, y, w, h), _COLOURS[label])
            row = {"id": len(rows) + 1, "image_id": number, "category_id": label}
            rows.append({**row, "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0})
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        images.append(
            {"id": number, "file_name": f"{number}.png", "height": height, "width": width}
        )
    categories = [{"id": index, "name": name} for index, name in enumerate(CLASSES)]
    document = {"images": images, "annotations": rows, "categories": categories}
    path = root / "set.json"
    path.write_text(json.dumps(document))
    return path


def _ellipse(
    picture: np.ndarray, box: tuple[int, int, int, int], colour: tuple[int, int, int]
) -> None:
    x, y, w, h = box
    rows, columns = np.indices(picture.shape[:2]) + 0.5
    inside = ((columns - x - w / 2) / (w / 2)) ** 2 + ((rows - y - h / 2) / (h / 2)) ** 2 <= 1
    picture[inside] = colour
