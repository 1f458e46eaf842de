"""Models of both kinds behind one `Tracker`, and behind one name of an evaluation."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from binvision import runtime
from binvision.errors import ModelTaskError, UsageError
from binvision.trackers import Tracker, TrackResult
from binvision.trackers.box_exporting import pack_box_checkpoint
from binvision.trackers.box_network import PackedBoxNetwork
from binvision.trackers.embedder import PackedEmbedder
from binvision.trackers.evaluation.entrants import enter, parse_settings
from binvision.trackers.networks import open_network
from tests.support.checkpoints import write_box_checkpoint
from tests.support.footage import moving_patch
from tests.support.tracking_models import write_tracker


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("box") / "twin.pth"
    write_box_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def packed(checkpoint: Path) -> Path:
    model, _ = pack_box_checkpoint(checkpoint, name="tiny", accuracy={})
    path = checkpoint.with_name("tiny.safetensors")
    runtime.save(path, model)
    return path


def test_the_kind_is_known_by_the_file(packed: Path, tmp_path: Path) -> None:
    assert isinstance(open_network(packed), PackedBoxNetwork)
    assert isinstance(open_network("rb-siamfc"), PackedEmbedder)
    other = write_tracker(tmp_path / "other.safetensors", task="detection/faces")
    with pytest.raises(ModelTaskError, match="needs one for tracking/siamfc or tracking/box; 'bin"):
        Tracker(other)


def test_a_packed_model_tracks_as_its_checkpoint_does(checkpoint: Path, packed: Path) -> None:
    """Random weights: what they find means nothing, but both find the same."""
    frames, truth = moving_patch([(150.0 + 3 * step, 120.0) for step in range(8)])
    settings = {"lost_threshold": 0.0, "found_threshold": 0.0}
    boxes = []
    for entrant in enter([str(packed), str(checkpoint)], [], settings):
        tracker = entrant.load()
        tracker.init(frames[0], truth[0])
        boxes.append([tracker.update(frame).box_xywh for frame in frames[1:]])
    assert not np.allclose(boxes[0], truth[1:], atol=0.01)
    np.testing.assert_allclose(boxes[0], boxes[1], atol=0.5)


def test_trackers_that_share_a_network_do_not_disturb_each_other(packed: Path) -> None:
    frames, truth = moving_patch([(60.0 + step, 60.0) for step in range(5)], (120, 160))
    boxes = truth[0], (20.0, 20.0, 30.0, 60.0)
    network = open_network(packed)
    together = [Tracker(network) for _ in boxes]
    for tracker, box in zip(together, boxes, strict=True):
        tracker.init(frames[0], box)
    shared = [[tracker.update(frame) for tracker in together] for frame in frames[1:]]
    for number, box in enumerate(boxes):
        alone = Tracker(packed)
        alone.init(frames[0], box)
        assert [alone.update(frame) for frame in frames[1:]] == [row[number] for row in shared]


@pytest.mark.parametrize("threshold", [0.0, 1.0], ids=["in sight", "lost"])
def test_memory_is_flat(packed: Path, threshold: float) -> None:
    frames, truth = moving_patch(
        [(80 + 20 * np.sin(step / 5), 60 + 15 * np.cos(step / 7)) for step in range(60)], (120, 160)
    )
    network = open_network(packed)
    network.settings = replace(
        network.settings,
        lost_threshold=threshold,
        found_threshold=threshold,
        light_band=0.01,
    )
    tracker = Tracker(network)
    tracker.init(frames[0], truth[0])
    shuttle = itertools.cycle([*frames, *frames[::-1]])

    def follow(count: int) -> list[TrackResult]:
        return [tracker.update(next(shuttle)) for _ in range(count)][-1:]

    follow(20)  # plans, and the chooser of this size
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(3):
            tracemalloc.reset_peak()
            (last,) = follow(100)
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert last.lost == bool(threshold)
    assert peaks[-1] < peaks[0] + 20_000, "200 frames later, less than 100 bytes a frame"


def test_settings_of_either_kind_are_replaced(checkpoint: Path, packed: Path) -> None:
    given = parse_settings(["size_lr=0.1", "search_size=127", "scale_lr=0.3"])
    assert given == {"size_lr": 0.1, "search_size": 127, "scale_lr": 0.3}
    del given["scale_lr"]
    for entrant in enter([str(packed), str(checkpoint)], [], given):
        tracker = entrant.load()
        tracker.init(np.zeros((60, 60, 3), np.uint8), (20, 20, 20, 20))
        tracker.update(np.zeros((60, 60, 3), np.uint8))
    (wrong,) = enter([str(packed)], [], {"scale_lr": 0.3})
    with pytest.raises(UsageError, match="--set: unknown tracking settings scale_lr"):
        wrong.load()
