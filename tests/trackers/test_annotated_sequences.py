"""Annotated sequences from folders and from detection annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from binvision.errors import DataError
from binvision.trackers.annotated_sequences import read_sequences
from binvision.trackers.pairs import SequenceStore


def write_coco(folder: Path, boxes: dict[str, list[list[list[float]]]]) -> Path:
    """A COCO file of videos: by name, the boxes of each frame, last frame first."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (folder / "train").mkdir(parents=True)
    for video, frames in boxes.items():
        for frame in reversed(range(len(frames))):
            name = f"{video}_{frame}.jpg"
            cv2.imwrite(str(folder / "train" / name), np.full((60, 80, 3), 20 * frame, np.uint8))
            images.append(
                {"id": len(images) + 1, "file_name": name, "video": video, "frame": frame}
            )
            for box in frames[frame]:
                annotations.append({"image_id": len(images), "bbox": box})
    path = folder / "train.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def test_videos_of_one_object_are_sequences(tmp_path: Path) -> None:
    alone = [[[1, 2, 10, 20]], [[3, 4, 10, 20]], [[5, 6, 10, 20]]]
    path = write_coco(
        tmp_path, {"a": alone, "crowd": [[[0, 0, 9, 9], [20, 20, 9, 9]]], "empty": [[]]}
    )

    ((frames, boxes),) = read_sequences(path)

    assert [frame.name for frame in frames] == ["a_0.jpg", "a_1.jpg", "a_2.jpg"]
    assert boxes.tolist() == [box for (box,) in alone]


def test_groups_are_drawn_from_them(tmp_path: Path) -> None:
    path = write_coco(tmp_path, {"a": [[[1, 2, 10, 20]], [[3, 4, 10, 20]]]})

    targets = SequenceStore(path).draw(6, np.random.default_rng(0))

    seen = {(target.box_xywh[0], round(float(target.image.mean()))) for target in targets}
    assert seen == {(1.0, 0), (3.0, 20)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not the annotations of videos"),
        ('{"images": [{"id": 1}], "annotations": []}', "KeyError.*video"),
        ('{"images": [], "annotations": []}', "no sequence with a visible target"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "train.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_sequences(path)


def test_a_folder_without_sequences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no sequence with a visible target"):
        read_sequences(tmp_path)
