"""Faces in pictures and videos, with a packed network whose answers are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

import binvision
from binvision.detectors import Detections
from binvision.errors import BoxError, FrameError, ModelTaskError, UsageError
from binvision.landmarks import Face, FaceAligner, PointEstimator
from binvision.media.boxes import overlaps
from tests.support.detection_models import write_detector
from tests.support.landmark_models import chart_points, draw_chart, write_chart_model

Box = tuple[float, float, float, float]
BOX = (60.0, 40.0, 96.0, 84.0)
OTHER = (215.0, 130.0, 88.0, 77.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chart_model(tmp_path_factory.mktemp("model") / "chart.safetensors")


def frame_with(*boxes: Box, size_hw: tuple[int, int] = (240, 320)) -> np.ndarray:
    frame = np.full((*size_hw, 3), 128, np.uint8)
    for box in boxes:
        draw_chart(frame, box)
    return frame


class Finding:
    """A detector that finds what it is told, and counts how often it is asked."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes: Sequence[Box] = boxes
        self.asked = 0

    def __call__(self, image: np.ndarray, /) -> Detections:
        self.asked += 1
        count = len(self.boxes)
        return Detections(
            np.array(self.boxes, np.float32).reshape(-1, 4),
            np.linspace(0.9, 0.5, count, dtype=np.float32),
            np.zeros(count, np.int64),
            ("face",),
        )


def error_of(face: Face, box: Box) -> float:
    """Greatest distance of a coordinate from the truth, in sizes of the box."""
    return float(np.abs(face.points - chart_points(box)).max()) / max(box[2:])


def shares(faces: Iterable[Face], boxes: Sequence[Box]) -> np.ndarray:
    return overlaps([face.box_xywh for face in faces], boxes)


# Pictures


def test_every_detected_face_is_aligned(model: Path) -> None:
    aligner = binvision.FaceAligner(model, detector=Finding(OTHER, BOX))
    faces = aligner(frame_with(BOX, OTHER))
    assert [isinstance(face, binvision.Face) for face in faces] == [True, True]
    assert error_of(faces[0], OTHER) < 0.05 and error_of(faces[1], BOX) < 0.05
    assert all(face.identity is None and face.frame_hw == (240, 320) for face in faces)
    assert (shares(faces, [OTHER, BOX]) > 0.9).all()
    assert all(face.score > 0.9 for face in faces)
    timings = aligner.timings
    assert (timings.frames, timings.detections, timings.crops) == (1, 1, 2)
    assert timings.total == pytest.approx(
        timings.detect + timings.crop + timings.network + timings.post
    )


def test_what_is_no_face_is_left_out(model: Path) -> None:
    aligner = FaceAligner(model, detector=Finding((220, 10, 40, 40), BOX, (200, 150, 3, 3)))
    assert len(aligner(frame_with(BOX))) == 1
    assert FaceAligner(model, detector=Finding())(frame_with(BOX)) == []


def test_two_detections_of_one_face_are_one(model: Path) -> None:
    x, y, w, h = BOX
    aligner = FaceAligner(model, detector=Finding(BOX, (x + 15, y + 10, w, h)))
    assert len(aligner(frame_with(BOX))) == 1


def test_surest_faces_come_first_where_there_are_too_many(model: Path) -> None:
    aligner = FaceAligner(model, detector=Finding(OTHER, BOX), max_faces=1)
    (face,) = aligner(frame_with(BOX, OTHER))
    assert error_of(face, OTHER) < 0.05


def test_given_boxes_are_all_answered_without_the_detector(model: Path) -> None:
    detector = Finding(OTHER)
    aligner = FaceAligner(model, detector=detector)
    faces = aligner(frame_with(BOX), boxes=[(150, 150, 60, 60), BOX])
    assert len(faces) == 2 and detector.asked == 0
    assert faces[0].score < 0.3 and error_of(faces[1], BOX) < 0.05
    assert aligner(frame_with(BOX), boxes=[]) == []
    array = np.array([BOX], np.float32)
    assert error_of(aligner(frame_with(BOX), boxes=array)[0], BOX) < 0.05
    with pytest.raises(BoxError):
        aligner(frame_with(BOX), boxes=[(0, 0, 0, 0)])


def test_without_a_detector_the_picture_is_the_face(model: Path) -> None:
    box = (30.0, 50.0, 100.0, 90.0)
    (face,) = FaceAligner(model)(frame_with(box, size_hw=(200, 170)))
    assert error_of(face, box) < 0.05
    assert FaceAligner(model)(frame_with(size_hw=(200, 170))) == []


def test_the_models_detector_is_loaded_and_its_boxes_placed(tmp_path: Path) -> None:
    """The detector of the tests finds blue squares, in boxes of 24x24 around them."""
    detector = write_detector(tmp_path / "colours.safetensors")
    settings = {"detector": str(detector), "detector_box": [0.25, 1.0, 1.0]}
    model = write_chart_model(tmp_path / "chart.safetensors", settings=settings)
    face = (14.0, 25.5, 24.0, 21.0)
    frame = frame_with(face, size_hw=(64, 64))
    frame[8:16, 16:24] = (255, 0, 0)
    assert error_of(FaceAligner(model)(frame)[0], face) < 0.1
    assert FaceAligner(model, score_threshold=0.999)(frame) == []
    assert FaceAligner(model, detector=Finding())(frame) == []


def test_pictures_of_any_shape_are_taken(model: Path) -> None:
    aligner = FaceAligner(model)
    for size_hw in ((1, 1), (1, 200), (300, 2), (33, 64)):
        assert aligner(np.full((*size_hw, 3), 128, np.uint8)) == []


# Videos


def test_a_face_is_followed_without_the_detector(model: Path) -> None:
    path = [(20.0 + 3 * t, 20 + 2 * t, 96 + t / 2, 84 + t / 2) for t in range(40)]
    detector = Finding(path[0])
    aligner = FaceAligner(model, detector=detector, smooth=False, detect_every=1000)
    for box in path:
        (face,) = aligner.update(frame_with(box))
        assert face.identity == 1 and error_of(face, box) < 0.06
    assert detector.asked == 1
    assert aligner.timings.frames == 40 and aligner.timings.detections == 1


def test_detector_looks_for_new_faces_every_few_frames(model: Path) -> None:
    detector = Finding(BOX)
    aligner = FaceAligner(model, detector=detector, detect_every=10)
    aligner.update(frame_with(BOX))
    detector.boxes = (BOX, OTHER)
    frame = frame_with(BOX, OTHER)
    counts = [len(aligner.update(frame)) for _ in range(12)]
    assert counts == [1] * 9 + [2] * 3
    assert detector.asked == 2
    assert [face.identity for face in aligner.update(frame)] == [1, 2]


def test_detector_rests_while_there_are_as_many_faces_as_wanted(model: Path) -> None:
    detector = Finding(BOX, OTHER)
    aligner = FaceAligner(model, detector=detector, detect_every=3, max_faces=1)
    for _ in range(10):
        (face,) = aligner.update(frame_with(BOX, OTHER))
        assert face.identity == 1
    assert detector.asked == 1


def test_detector_looks_in_every_frame_while_there_is_no_face(model: Path) -> None:
    detector = Finding()
    aligner = FaceAligner(model, detector=detector)
    assert [aligner.update(frame_with()) for _ in range(5)] == [[]] * 5
    assert detector.asked == 5


def test_a_face_that_comes_back_where_it_was_lost_has_its_identity(model: Path) -> None:
    detector = Finding(BOX, OTHER)
    aligner = FaceAligner(model, detector=detector)
    assert [face.identity for face in aligner.update(frame_with(BOX, OTHER))] == [1, 2]
    detector.boxes = (OTHER,)
    for _ in range(8):
        assert [face.identity for face in aligner.update(frame_with(OTHER))] == [2]
    assert 2 <= detector.asked < 5  # at once, then every few frames
    x, y, w, h = BOX
    back = (x + 20, y - 10, w, h)
    detector.boxes = (OTHER, back)
    frames = [aligner.update(frame_with(back, OTHER)) for _ in range(6)]
    assert [face.identity for face in frames[-1]] == [1, 2]
    assert error_of(frames[-1][0], back) < 0.05


def test_a_face_elsewhere_is_another_one(model: Path) -> None:
    detector = Finding(BOX)
    aligner = FaceAligner(model, detector=detector)
    aligner.update(frame_with(BOX))
    detector.boxes = (OTHER,)
    (face,) = aligner.update(frame_with(OTHER))
    assert face.identity == 2 and error_of(face, OTHER) < 0.05


def test_mirrored_faces_are_averaged(model: Path) -> None:
    """As PointEstimator does; a chart's mirror image is none, so that it makes a difference."""
    detector = Finding(BOX)
    found, plain = (
        FaceAligner(model, detector=detector, mirror=mirror)(frame_with(BOX), [BOX])[0].points
        for mirror in (True, False)
    )
    expected = PointEstimator(model, mirror=True)(frame_with(BOX), BOX).points
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found - plain).max() > 1


def test_identity_is_given_up_after_a_while(model: Path) -> None:
    detector = Finding(BOX)
    aligner = FaceAligner(model, detector=detector)
    aligner.update(frame_with(BOX))
    detector.boxes = ()
    for _ in range(160):
        assert aligner.update(frame_with()) == []
    detector.boxes = (BOX,)
    assert [face.identity for face in aligner.update(frame_with(BOX))] == [2]


def test_of_two_boxes_on_one_face_the_younger_goes(model: Path) -> None:
    """Two faces cross, and the second is hidden by the first."""
    first = [(30.0, 60.0, 96.0, 84.0)] * 30
    second = [(220.0 - 10 * t, 60.0, 96.0, 84.0) for t in range(19)] + [first[0]] * 11
    detector = Finding(first[0], second[0])
    aligner = FaceAligner(model, detector=detector, smooth=False)
    for a, b in zip(first, second, strict=True):
        faces = aligner.update(frame_with(b, a))
        assert faces[0].identity == 1
        detector.boxes = (a,)
    assert [face.identity for face in faces] == [1] and error_of(faces[0], a) < 0.06


def test_a_face_that_leaves_the_frame_is_lost(model: Path) -> None:
    path = [(100.0 + 10 * t, 60.0, 96.0, 84.0) for t in range(30)]
    detector = Finding(path[0])
    aligner = FaceAligner(model, detector=detector)
    counts = []
    for box in path:
        counts.append(len(aligner.update(frame_with(box))))
        detector.boxes = ()
    assert counts[:10] == [1] * 10 and counts[-5:] == [0] * 5


def test_a_frame_of_another_size_begins_anew(model: Path) -> None:
    detector = Finding(BOX)
    aligner = FaceAligner(model, detector=detector)
    aligner.update(frame_with(BOX))
    (face,) = aligner.update(frame_with(BOX, size_hw=(200, 300)))
    assert face.identity == 2 and face.frame_hw == (200, 300) and detector.asked == 2
    aligner.reset()
    (face,) = aligner.update(frame_with(BOX, size_hw=(200, 300)))
    assert face.identity == 3 and detector.asked == 3


def test_update_and_pictures_do_not_disturb_each_other(model: Path) -> None:
    aligner = FaceAligner(model, detector=Finding(BOX))
    aligner.update(frame_with(BOX))
    aligner(frame_with(OTHER), boxes=[OTHER])
    (face,) = aligner.update(frame_with(BOX))
    assert face.identity == 1


def test_smoothing_steadies_points_at_rest_and_results_last(model: Path) -> None:
    rng = np.random.default_rng(0)
    spread = {}
    for smooth in (True, False):
        aligner = FaceAligner(model, detector=Finding(BOX), smooth=smooth)
        seen = []
        for _ in range(30):
            noise = rng.normal(0, 5, (240, 320, 3))
            frame = np.clip(frame_with(BOX) + noise, 0, 255).astype(np.uint8)
            (face,) = aligner.update(frame)
            seen.append((face, face.points.copy()))
        assert all((face.points == kept).all() for face, kept in seen)
        spread[smooth] = np.std([kept for _, kept in seen[10:]], axis=0).mean()
    assert spread[True] < 0.5 * spread[False]


def test_without_a_detector_the_one_face_is_followed(model: Path) -> None:
    path = [(30.0 + 2 * t, 40.0, 100.0, 90.0) for t in range(15)]
    aligner = FaceAligner(model, smooth=False)
    for box in path:
        (face,) = aligner.update(frame_with(box, size_hw=(200, 190)))
        assert face.identity == 1 and error_of(face, box) < 0.06
    assert aligner.timings.crops == 1 + 1 + 14  # the picture, its face, then one a frame


# Bad input


@pytest.mark.parametrize(
    "frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((9, 9, 3)), None]
)
def test_other_arrays_are_refused(model: Path, frame: np.ndarray) -> None:
    aligner = FaceAligner(model, detector=Finding(BOX))
    with pytest.raises(FrameError, match="frame: expected"):
        aligner.update(frame)
    with pytest.raises(FrameError, match="picture: expected"):
        aligner(frame)
    with pytest.raises(FrameError, match="picture: expected"):
        aligner(frame, boxes=[])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detect_every": 0}, "detect_every = 0: expected 1 or more"),
        ({"max_faces": 0}, "most subjects = 0: expected 1 or more"),
        ({"score_threshold": 0.5}, "score threshold 0.5: no detector is loaded here"),
    ],
)
def test_options_out_of_range_are_refused(model: Path, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FaceAligner(model, **options)


def test_models_of_other_points_are_refused(tmp_path: Path) -> None:
    path = write_chart_model(tmp_path / "chart.safetensors", settings={"scheme": "face98"})
    with pytest.raises(ModelTaskError, match="finds face98, but a face needs face68"):
        FaceAligner(path)
