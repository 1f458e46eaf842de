"""Points of faces and of people: 1-bit networks of heat maps, their training and evaluation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from binvision.landmarks.estimator import PointEstimator, Points
    from binvision.landmarks.network import Network, PackedNetwork
    from binvision.landmarks.schemes import SCHEMES, Scheme, find_scheme
    from binvision.landmarks.settings import LandmarkSettings

__all__ = [
    "SCHEMES",
    "LandmarkSettings",
    "Network",
    "PackedNetwork",
    "PointEstimator",
    "Points",
    "Scheme",
    "find_scheme",
]

_HOMES = {
    "LandmarkSettings": "settings",
    "Network": "network",
    "PackedNetwork": "network",
    "PointEstimator": "estimator",
    "Points": "estimator",
    "SCHEMES": "schemes",
    "Scheme": "schemes",
    "find_scheme": "schemes",
}


def __getattr__(name: str) -> Any:
    # The training modules live here too and need none of this.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
