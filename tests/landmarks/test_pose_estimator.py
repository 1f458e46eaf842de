"""People in pictures and videos, with a packed network whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import binvision
from binvision.errors import BoxError, FrameError, ModelTaskError
from binvision.landmarks import PoseEstimator
from tests.support.landmark_models import chart_points, draw_chart, write_chart_model

BOX = (60.0, 30.0, 90.0, 60.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "chart.safetensors"
    return write_chart_model(path, settings={"scheme": "pose14"})


def picture(box: tuple[float, ...] = BOX, size_hw: tuple[int, int] = (150, 200)) -> np.ndarray:
    return draw_chart(np.full((*size_hw, 3), 128, np.uint8), box, 14)


def error_of(person: binvision.Person, box: tuple[float, ...] = BOX) -> float:
    return float(np.abs(person.points - chart_points(box, 14)).max()) / max(box[2:])


def test_the_whole_picture_is_the_person(model: Path) -> None:
    (person,) = binvision.PoseEstimator(model)(picture())
    assert isinstance(person, binvision.Person) and person.scheme.name == "pose14"
    assert person.identity is None and person.frame_hw == (150, 200)
    # The fields are large: a point is anywhere in the middle of its own.
    assert error_of(person) < 0.08 and person.score > 0.3
    place = person.points[11].tolist()
    assert person.joint("left_wrist")[:2] == pytest.approx(place)


def test_given_boxes_are_answered_in_their_order(model: Path) -> None:
    people = PoseEstimator(model)(picture(), boxes=[(150, 100, 30, 30), BOX])
    assert people[0].score < 0.3 and error_of(people[1]) < 0.08


def test_a_person_is_followed(model: Path) -> None:
    estimator = PoseEstimator(model, smooth=False)
    path = [(10.0 + 4 * t, 30.0, 90.0, 60.0) for t in range(20)]
    for box in path:
        (person,) = estimator.update(picture(box))
        assert person.identity == 1 and error_of(person, box) < 0.1
    assert estimator.timings.frames == 20 and estimator.timings.detections == 0
    estimator.reset()
    assert [person.identity for person in estimator.update(picture())] == [2]


def test_people_are_followed_from_given_boxes(model: Path) -> None:
    """Nobody else is looked for, and who is gone is not sought in the whole picture."""
    left, right = (15.0, 60.0, 80.0, 20.0), (150.0, 60.0, 80.0, 20.0)
    both = draw_chart(picture(left, (150, 260)), right, 14)
    estimator = PoseEstimator(model, smooth=False)
    people = estimator.update(both, boxes=[(20, 58, 80, 20), right])
    assert [person.identity for person in people] == [1, 2]
    for frame in (both, both):
        people = estimator.update(frame)
        assert [error_of(*pair) < 0.08 for pair in zip(people, (left, right), strict=True)]
    alone = picture(right, (150, 260))
    assert [person.identity for person in estimator.update(alone)] == [2]
    assert estimator.update(np.full((150, 260, 3), 128, np.uint8)) == []
    assert estimator.update(both) == []
    people = estimator.update(both, boxes=[left])
    assert [person.identity for person in people] == [1] and error_of(people[0], left) < 0.08
    with pytest.raises(BoxError):
        estimator.update(both, boxes=[(10, 10, 0, 0)])


def test_nobody_is_an_empty_list(model: Path) -> None:
    estimator = PoseEstimator(model)
    empty = np.full((90, 120, 3), 128, np.uint8)
    assert estimator(empty) == [] and estimator.update(empty) == []


def test_models_of_faces_and_other_arrays_are_refused(model: Path, tmp_path: Path) -> None:
    faces = write_chart_model(tmp_path / "faces.safetensors")
    with pytest.raises(ModelTaskError, match="finds points of a face .face68., but a pose needs"):
        PoseEstimator(faces)
    with pytest.raises(FrameError):
        PoseEstimator(model)(np.zeros((5, 5), np.uint8))
