"""Object tracking: SiamFC-style trackers, their training and their evaluation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from binvision.trackers.embedder import Embedder, PackedEmbedder
    from binvision.trackers.multi import MultiTimings, MultiTracker, Target
    from binvision.trackers.settings import SiamFCSettings
    from binvision.trackers.siamfc import Timings, Tracker, TrackResult

__all__ = [
    "Embedder",
    "MultiTimings",
    "MultiTracker",
    "PackedEmbedder",
    "SiamFCSettings",
    "Target",
    "Timings",
    "TrackResult",
    "Tracker",
]

_HOMES = {
    "Embedder": "embedder",
    "MultiTimings": "multi",
    "MultiTracker": "multi",
    "PackedEmbedder": "embedder",
    "SiamFCSettings": "settings",
    "Target": "multi",
    "Timings": "siamfc",
    "TrackResult": "siamfc",
    "Tracker": "siamfc",
}


def __getattr__(name: str) -> Any:
    # The training modules live here too and need none of this.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
