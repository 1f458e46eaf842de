"""Checkpoints as ``binvision train`` writes them, without the training."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from binvision import runtime
from binvision.classifiers.model import ClassifierConfig, ClassifierNetwork
from binvision.classifiers.settings import TASK
from binvision.detectors.model import DetectorConfig, DetectorNetwork
from binvision.export import export_model
from binvision.landmarks.model import LandmarkConfig, LandmarkNetwork
from binvision.trackers.box_model import BoxTracker, BoxTrackerConfig
from binvision.trackers.model import SiamFC, SiamFCConfig
from tests.support.labelled_pictures import CLASSES
from tests.support.torch_networks import randomize

__all__ = [
    "SMALL_DETECTOR",
    "SMALL_LANDMARKS",
    "small_detector",
    "small_landmarks",
    "write_box_checkpoint",
    "write_checkpoint",
    "write_classifier",
    "write_detector_checkpoint",
    "write_landmark_checkpoint",
]

# Maps at strides 4, 8 and 16, a few channels each.
SMALL_DETECTOR: dict[str, Any] = {
    "backbone": {
        "type": "staged",
        "method": "bireal",
        "stem_channels": 4,
        "channels": [8, 16, 16],
        "blocks": [0, 1, 1],
    },
    "classes": ["car", "bus"],
    "stride": 8,
    "width": 16,
    "input_size": 64,
}

# Maps of 8x8 cells.
SMALL_LANDMARKS: dict[str, Any] = {
    "backbone": {
        "type": "hourglass",
        "method": "bireal",
        "stem_channels": 4,
        "channels": 16,
        "depth": 2,
    },
    "scheme": "face68",
    "input_size": 32,
    "settings": {"crop": 1.4},
}


def write_checkpoint(path: Path, method: str = "rbcn", seed: int = 0) -> SiamFC:
    """Write a small network with random weights; returns it."""
    backbone = {"type": "residual", "method": method, "blocks": 2, "channels": 64}
    network = randomize(SiamFC(SiamFCConfig(backbone)), seed)
    _write(path, network, asdict(network.config))
    return network


def write_box_checkpoint(path: Path, method: str = "bireal", seed: int = 0) -> BoxTracker:
    """Write a small tracker with a box head, with random weights; returns it."""
    config = BoxTrackerConfig(method, 1, 1, 128, 64, 1, tracker={"search_size": 191})
    network = randomize(BoxTracker(config), seed)
    _write(path, network, asdict(network.config))
    return network


def small_detector(**changes: Any) -> DetectorNetwork:
    """Build `SMALL_DETECTOR` as a network in training mode; ``changes`` replace its arguments."""
    return DetectorNetwork(DetectorConfig(**{**SMALL_DETECTOR, **changes}))


def write_detector_checkpoint(path: Path, seed: int = 0, **changes: Any) -> DetectorNetwork:
    """Write `small_detector` with random weights; returns it."""
    network = randomize(small_detector(**changes), seed)
    _write(path, network, asdict(network.config))
    return network


def small_landmarks(**changes: Any) -> LandmarkNetwork:
    """Build `SMALL_LANDMARKS` as a network in training mode; ``changes`` replace its arguments."""
    return LandmarkNetwork(LandmarkConfig(**{**SMALL_LANDMARKS, **changes}))


def write_landmark_checkpoint(path: Path, seed: int = 0, **changes: Any) -> LandmarkNetwork:
    """Write `small_landmarks` with random weights; returns it."""
    network = randomize(small_landmarks(**changes), seed)
    _write(path, network, asdict(network.config))
    return network


def write_classifier(path: Path, seed: int = 0) -> None:
    """Write a small packed classifier with random weights, at 8 pixels."""
    backbone = {
        "type": "staged",
        "method": "bireal",
        "stem_stride": 1,
        "channels": [8, 16],
        "blocks": [1, 1],
    }
    network = ClassifierNetwork(ClassifierConfig(backbone, list(CLASSES), 8))
    packed = export_model(
        randomize(network, seed), name=path.stem, task=TASK, settings=network.settings(),
        provenance={}, accuracy={}, outputs=("logits",),
    )  # fmt: skip
    runtime.save(path, packed)


def _write(
    path: Path,
    network: SiamFC | BoxTracker | DetectorNetwork | LandmarkNetwork,
    config: dict[str, Any],
) -> None:
    record = {
        "task": network.task,
        "network": config,
        "training": {"experiment": "random", "seed": 0},
    }
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"binvision": record, "state_dict": weights}, path)
