"""Object detection: an anchor-free 1-bit detector, its training and its evaluation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from binvision.detectors.detections import Detections
    from binvision.detectors.detector import Detector, Timings
    from binvision.detectors.network import Network, PackedNetwork
    from binvision.detectors.settings import DetectorSettings

__all__ = [
    "Detections",
    "Detector",
    "DetectorSettings",
    "Network",
    "PackedNetwork",
    "Timings",
]

_HOMES = {
    "Detections": "detections",
    "Detector": "detector",
    "DetectorSettings": "settings",
    "Network": "network",
    "PackedNetwork": "network",
    "Timings": "detector",
}


def __getattr__(name: str) -> Any:
    # The training modules live here too and need none of this.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
