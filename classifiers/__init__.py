"""Classification of pictures: 1-bit networks, their training and evaluation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from binvision.classifiers.classifier import Classification, Classifier
    from binvision.classifiers.network import Network, PackedNetwork
    from binvision.classifiers.settings import ClassifierSettings

__all__ = ["Classification", "Classifier", "ClassifierSettings", "Network", "PackedNetwork"]

_HOMES = {
    "Classification": "classifier",
    "Classifier": "classifier",
    "ClassifierSettings": "settings",
    "Network": "network",
    "PackedNetwork": "network",
}


def __getattr__(name: str) -> Any:
    # The training modules live here too and need none of this.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
