"""What a face and a person tell of their points."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.errors import UsageError
from binvision.landmarks import SCHEMES, Face, Person

SIZE_HW = (480, 640)


def face_with(**places: tuple[float, float]) -> Face:
    """A face whose points are at (index, 10 * index) but for those that are named."""
    points = np.stack((np.arange(68), 10 * np.arange(68)), 1).astype(np.float32)
    for name, place in places.items():
        points[SCHEMES["face68"].points.index(name)] = place
    return Face(points, np.linspace(0, 1, 68, dtype=np.float32), SIZE_HW)


def test_parts_are_the_points_of_300w() -> None:
    face = face_with()
    for part, first, count in (
        (face.jaw, 0, 17),
        (face.right_brow, 17, 5),
        (face.left_brow, 22, 5),
        (face.nose, 27, 9),
        (face.right_eye, 36, 6),
        (face.left_eye, 42, 6),
        (face.mouth, 48, 20),
        (face.outer_lips, 48, 12),
        (face.inner_lips, 60, 8),
    ):
        np.testing.assert_array_equal(part[:, 0], np.arange(first, first + count))
    assert face.score == pytest.approx(0.5) and face.box_xywh == (0, 0, 67, 670)
    assert face.identity is None


def test_eye_openness_is_the_aspect_ratio() -> None:
    """An eye 30 wide with heights 9 and 12, and one that is closed."""
    face = face_with(
        right_eye_outer=(0, 0),
        right_eye_inner=(30, 0),
        right_eye_upper_outer=(10, -5),
        right_eye_lower_outer=(10, 4),
        right_eye_upper_inner=(20, -6),
        right_eye_lower_inner=(20, 6),
        left_eye_inner=(50, 0),
        left_eye_outer=(80, 0),
        left_eye_upper_inner=(60, 1),
        left_eye_lower_inner=(60, 1),
        left_eye_upper_outer=(70, 1),
        left_eye_lower_outer=(70, 1),
    )
    assert face.eye_openness.right == pytest.approx((9 + 12) / 2 / 30)
    assert face.eye_openness.left == 0


def test_mouth_openness_is_that_of_the_inner_lips() -> None:
    face = face_with(
        right_mouth_inner_corner=(0, 0),
        left_mouth_inner_corner=(40, 0),
        right_upper_lip_inner=(10, -4),
        right_lower_lip_inner=(10, 4),
        upper_lip_inner=(20, -5),
        lower_lip_inner=(20, 5),
        left_upper_lip_inner=(30, -3),
        left_lower_lip_inner=(30, 3),
    )
    assert face.mouth_openness == pytest.approx((8 + 10 + 6) / 3 / 40)


def test_faces_without_size_have_finite_ratios() -> None:
    face = Face(np.zeros((68, 2), np.float32), np.zeros(68, np.float32), SIZE_HW)
    assert face.eye_openness == (0, 0) and face.mouth_openness == 0
    assert np.isnan(face.head_pose).all()


def test_head_pose_is_computed_once() -> None:
    face = face_with()
    assert face.head_pose is face.head_pose


def test_joints_have_names() -> None:
    scheme = SCHEMES["pose14"]
    points = np.arange(28, dtype=np.float32).reshape(14, 2)
    person = Person(points, np.full(14, 0.5, np.float32), SIZE_HW, 3, scheme=scheme)
    assert person.joint("left_wrist") == (22, 23, 0.5) and person.joint("head_top").x == 26
    assert person.identity == 3 and person.box_xywh == (0, 1, 26, 26)
    with pytest.raises(UsageError, match="joint 'nose' is unknown; pose14 has right_ankle, right"):
        person.joint("nose")
