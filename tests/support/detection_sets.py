"""Small detection data made on the spot, the same objects in each of the formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

__all__ = ["BOXES", "CLASSES", "SIZES", "coco_document", "write_coco", "write_voc", "write_yolo"]

CLASSES = ("cat", "dog", "owl")
SIZES = {"a": (60, 80), "b": (41, 53), "c": (30, 40)}  # height, width; the last has no object
# Class, x, y, w, h in whole pixels, counted from 0.
BOXES: dict[str, list[tuple[int, int, int, int, int]]] = {
    "a": [(1, 10, 8, 30, 20), (0, 41, 30, 39, 30)],
    "b": [(2, 3, 4, 5, 6)],
    "c": [],
}


def write_pictures(folder: Path) -> None:
    """Write a grey JPEG for each of `SIZES`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size_hw in SIZES.items():
        cv2.imwrite(str(folder / f"{name}.jpg"), np.full((*size_hw, 3), 90, np.uint8))


def coco_document() -> dict[str, Any]:
    """The objects as COCO has them; class numbers have gaps."""
    images = [
        {"id": 10 + index, "file_name": f"{name}.jpg", "height": h, "width": w}
        for index, (name, (h, w)) in enumerate(SIZES.items())
    ]
    annotations: list[dict[str, Any]] = []
    for image in images:
        for label, *box in BOXES[image["file_name"][0]]:
            row = {"id": len(annotations) + 1, "image_id": image["id"], "category_id": 7 * label}
            annotations.append({**row, "bbox": box, "area": box[2] * box[3], "iscrowd": 0})
    categories = [{"id": 7 * index, "name": name} for index, name in enumerate(CLASSES)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(root: Path, document: dict[str, Any] | None = None) -> Path:
    """Write ``root/set.json`` and its pictures in ``root/set``."""
    write_pictures(root / "set")
    path = root / "set.json"
    path.write_text(json.dumps(document or coco_document()))
    return path


def write_voc(root: Path, counted_from: int = 1) -> Path:
    """Write VOC's root; counted from 0, boxes end behind their last pixel."""
    write_pictures(root / "JPEGImages")
    (root / "Annotations").mkdir()
    for name, (height, width) in SIZES.items():
        objects = ""
        for label, x, y, w, h in BOXES[name]:
            corners = (x + counted_from, y + counted_from, x + w, y + h)
            tags = "".join(
                f"<{tag}>{value}</{tag}>"
                for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
            )
            objects += f"<object><name>{CLASSES[label]}</name><bndbox>{tags}</bndbox></object>"
        (root / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><filename>{name}.jpg</filename><size><width>{width}</width>"
            f"<height>{height}</height></size>{objects}</annotation>"
        )
    return root


def write_yolo(root: Path, part: str = "train") -> Path:
    """Write ``root/data.yaml`` with pictures and labels in a folder of this part."""
    write_pictures(root / "images" / part)
    labels = root / "labels" / part
    labels.mkdir(parents=True)
    for name, (height, width) in SIZES.items():
        rows = [
            (label, (x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
            for label, x, y, w, h in BOXES[name]
        ]
        text = "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in rows)
        (labels / f"{name}.txt").write_text(text)
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(CLASSES))
    path = root / "data.yaml"
    path.write_text(f"# made by a test\n{part}: images/{part}\nnc: 3\nnames:\n{names}")
    return path
