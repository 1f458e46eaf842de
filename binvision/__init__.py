"""Vision with 1-bit networks on a plain CPU.

    import binvision

    tracker = binvision.Tracker("bin-track")
    tracker.init(frame, (x, y, width, height))
    result = tracker.update(next_frame)

    detector = binvision.Detector("bin-face")
    found = detector(picture)

    aligner = binvision.FaceAligner("hpm-face68")
    faces = aligner(picture)

Importing this package loads nothing else: each name below is fetched when it is first used, so
a program pays for NumPy, Numba and OpenCV only when it works, and never for PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from binvision.classifiers import Classification, Classifier
    from binvision.detectors import Detections, Detector
    from binvision.errors import (
        BinvisionError,
        BoxError,
        ConfigError,
        DataError,
        ExportError,
        FrameError,
        MediaError,
        MissingExtraError,
        ModelError,
        ModelFileError,
        ModelTaskError,
        SinkError,
        SourceError,
        TrackingError,
        UsageError,
        WorkerError,
    )
    from binvision.landmarks import Face, FaceAligner, Person, PoseEstimator
    from binvision.trackers import MultiTracker, Target, Tracker, TrackResult

__version__ = "0.1.0"

__all__ = [
    "BinvisionError",
    "BoxError",
    "Classification",
    "Classifier",
    "ConfigError",
    "DataError",
    "Detections",
    "Detector",
    "ExportError",
    "Face",
    "FaceAligner",
    "FrameError",
    "MediaError",
    "MissingExtraError",
    "ModelError",
    "ModelFileError",
    "ModelTaskError",
    "MultiTracker",
    "Person",
    "PoseEstimator",
    "SinkError",
    "SourceError",
    "Target",
    "TrackResult",
    "Tracker",
    "TrackingError",
    "UsageError",
    "WorkerError",
    "__version__",
]

_HOMES = {
    "Classification": "binvision.classifiers",
    "Classifier": "binvision.classifiers",
    "Detections": "binvision.detectors",
    "Detector": "binvision.detectors",
    "Face": "binvision.landmarks",
    "FaceAligner": "binvision.landmarks",
    "MultiTracker": "binvision.trackers",
    "Person": "binvision.landmarks",
    "PoseEstimator": "binvision.landmarks",
    "Target": "binvision.trackers",
    "TrackResult": "binvision.trackers",
    "Tracker": "binvision.trackers",
}


def __getattr__(name: str) -> Any:
    """Fetch a public name from the module that defines it, once (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'binvision' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES.get(name, "binvision.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, fetched or not."""
    return sorted(__all__)
