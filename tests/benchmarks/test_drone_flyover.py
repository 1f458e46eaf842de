"""The flyover benchmark: clips keep what they promise, and outcomes are counted right."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import drone_flyover
from benchmarks.flyover import Clip, make_clips
from binvision.errors import DataError
from binvision.trackers import Target
from tests.support.detection_models import SETTINGS, write_detector
from tests.support.tracking_models import write_tracker

SIZE_HW, DRONE = (128, 160), (70, 50, 24, 24)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blue drone of one recording and a bird of another, both in a red sky."""
    root = tmp_path_factory.mktemp("drones")
    (root / "test").mkdir()
    images, annotations = [], []
    names = ("V_DRONE_001_00001", "V_BIRD_002_00001", "IR_DRONE_003_00001")
    for number, name in enumerate(names, 1):
        picture = np.full((*SIZE_HW, 3), (30, 30, 150), np.uint8)
        x, y, w, h = DRONE
        picture[y : y + h, x : x + w] = (255, 0, 0)
        cv2.imwrite(str(root / "test" / f"{name}.png"), picture)
        image = {"id": number, "file_name": f"{name}.png", "height": 128, "width": 160}
        images.append(image)
        category = 2 if "BIRD" in name else 1
        row = {"id": number, "image_id": number, "category_id": category, "bbox": DRONE}
        annotations.append({**row, "area": 576, "iscrowd": 0})
    categories = [{"id": 1, "name": "drone"}, {"id": 2, "name": "bird"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (root / "test.json").write_text(json.dumps(document))
    return root / "test.json"


def test_a_drone_comes_is_hidden_and_comes_out(data: Path) -> None:
    (clip,) = make_clips(data, 1)
    assert clip.name == "V_DRONE_001 over V_BIRD_002"
    assert len(clip.frames) == len(clip.truth) == 150
    assert clip.truth[:10] == [None] * 10, "an empty sky first"
    shown = [box is not None for box in clip.truth]
    changes = np.flatnonzero(np.diff(shown))
    assert len(changes) == 4, "in, behind the mast, out, away"
    assert clip.first_seen == changes[0] + 1
    assert clip.seen_again == changes[2] + 1
    first, box = clip.first_whole
    assert first > clip.first_seen
    assert box[0] > 0
    assert changes[2] - changes[1] >= 8
    for frame, box in zip(clip.frames, clip.truth, strict=True):
        assert frame.shape == (*SIZE_HW, 3)
        blue = (frame[..., 0] > 200) & (frame[..., 2] < 60)
        if box is None:
            assert blue.sum() < 576 * 1.4**2 / 3, "a third of the drone, where it is nearest"
            continue
        x, y, w, h = box
        assert x >= 0 <= y
        assert x + w <= 160
        assert y + h <= 128
        rows, columns = np.nonzero(blue)
        assert rows.min() == pytest.approx(y, abs=4)
        assert columns.max() <= x + w + 4


def test_the_seed_decides(data: Path) -> None:
    (one,), (again,), (other,) = (make_clips(data, 1, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.frames, again.frames)
    assert not np.array_equal(one.frames, other.frames)


def test_pictures_without_drones_are_refused(data: Path, tmp_path: Path) -> None:
    document = json.loads(data.read_text())
    document["annotations"] = document["annotations"][1:]
    (tmp_path / "test").symlink_to(data.parent / "test")
    (tmp_path / "test.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="needs visible pictures of drones"):
        list(make_clips(tmp_path / "test.json", 1))


HERE, THERE = (10.0, 10.0, 20.0, 20.0), (60.0, 10.0, 20.0, 20.0)


def target(identity: int, box: tuple[float, float, float, float], lost: bool = False) -> Target:
    return Target(identity, "drone", box, 0.5, lost)


def test_outcome() -> None:
    truth = [None, HERE, HERE, HERE, None, HERE, HERE]
    clip = Clip("clip", [], truth)
    own = target(1, HERE)
    run = [(), (), (own,), (own, target(2, THERE)), (own,), (target(1, HERE, lost=True),), (own,)]
    found = drone_flyover.outcome(clip, run, 0.25, 50.0)
    assert found == drone_flyover.Outcome(1, 3 / 5, 1, True, 1, 0.25, 50.0)
    exchanged = drone_flyover.outcome(clip, [*run[:-1], (target(3, HERE),)], 0.25, 50.0)
    assert not exchanged.kept
    never = drone_flyover.outcome(clip, [()] * 7, 1.0, 50.0)
    assert (never.found_after, never.again_after, never.kept) == (None, None, False)


def test_it_runs(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (clip,) = make_clips(data, 1)
    short = Clip(clip.name, clip.frames[::6], clip.truth[::6])
    monkeypatch.setattr(drone_flyover, "make_clips", lambda *_: iter([short]))
    threads = cv2.getNumThreads()
    detector = write_detector(tmp_path / "colours.bv", settings={**SETTINGS, "input_size": 160})
    tracker = write_tracker(tmp_path / "random.safetensors")
    options = ["--data", data, "--detector", detector, "--model", tracker, "--clips", 1]
    options += ["--detect-every", 5, "--out", tmp_path / "videos"]
    drone_flyover.main(list(map(str, options)))
    cv2.setNumThreads(threads)
    printed = capsys.readouterr().out
    every, alone = (line.split() for line in printed.splitlines() if "of 1" in line)
    assert every[:2] == ["every", "5"]
    assert alone[0] == "alone"
    assert "isa" in printed
    assert {path.name for path in (tmp_path / "videos").iterdir()} == {"clip.mp4", "tracked.mp4"}


def test_a_model_that_is_not_there_is_one_line(data: Path) -> None:
    with pytest.raises(SystemExit, match="error: no model 'nope'"):
        drone_flyover.main(["--data", str(data), "--detector", "nope"])
