"""Object tracking: SiamFC-style trackers, their training and their evaluation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from binvision.trackers.box_network import BoxNetwork, PackedBoxNetwork
    from binvision.trackers.box_settings import BoxSettings
    from binvision.trackers.embedder import Embedder, PackedEmbedder
    from binvision.trackers.multi import MultiTimings, MultiTracker, Target
    from binvision.trackers.results import Timings, TrackResult
    from binvision.trackers.settings import SiamFCSettings
    from binvision.trackers.tracker import Tracker

__all__ = [
    "BoxNetwork",
    "BoxSettings",
    "Embedder",
    "MultiTimings",
    "MultiTracker",
    "PackedBoxNetwork",
    "PackedEmbedder",
    "SiamFCSettings",
    "Target",
    "Timings",
    "TrackResult",
    "Tracker",
]

_HOMES = {
    "BoxNetwork": "box_network",
    "BoxSettings": "box_settings",
    "Embedder": "embedder",
    "MultiTimings": "multi",
    "MultiTracker": "multi",
    "PackedBoxNetwork": "box_network",
    "PackedEmbedder": "embedder",
    "SiamFCSettings": "settings",
    "Target": "multi",
    "Timings": "results",
    "TrackResult": "results",
    "Tracker": "tracker",
}


def __getattr__(name: str) -> Any:
    # The training modules live here too and need none of this.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
