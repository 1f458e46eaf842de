"""Points of faces and of people: 1-bit networks of heat maps, their training and evaluation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from binvision.landmarks.aligner import FaceAligner
    from binvision.landmarks.estimator import PointEstimator, Points
    from binvision.landmarks.faces import Face
    from binvision.landmarks.network import Network, PackedNetwork
    from binvision.landmarks.people import Person
    from binvision.landmarks.pose_estimator import PoseEstimator
    from binvision.landmarks.schemes import SCHEMES, Scheme, find_scheme
    from binvision.landmarks.settings import LandmarkSettings

__all__ = [
    "SCHEMES",
    "Face",
    "FaceAligner",
    "LandmarkSettings",
    "Network",
    "PackedNetwork",
    "Person",
    "PointEstimator",
    "Points",
    "PoseEstimator",
    "Scheme",
    "find_scheme",
]

_HOMES = {
    "Face": "faces",
    "FaceAligner": "aligner",
    "LandmarkSettings": "settings",
    "Network": "network",
    "PackedNetwork": "network",
    "Person": "people",
    "PointEstimator": "estimator",
    "Points": "estimator",
    "PoseEstimator": "pose_estimator",
    "SCHEMES": "schemes",
    "Scheme": "schemes",
    "find_scheme": "schemes",
}


def __getattr__(name: str) -> Any:
    # The training modules live here too and need none of this.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
