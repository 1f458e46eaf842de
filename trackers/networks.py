"""From the name of a tracking model to its network, of whichever kind it is."""

from __future__ import annotations

from pathlib import Path

from binvision.trackers.box_network import BoxNetwork
from binvision.trackers.embedder import Embedder, PackedEmbedder

__all__ = ["TrackingNetwork", "open_network"]

TrackingNetwork = Embedder | BoxNetwork
"""What a `Tracker` can work with."""


def open_network(model: str | Path, *, threads: int = 1) -> PackedEmbedder:
    """Load a model by its name in the zoo or by the path of its file.

    Raises:
        ModelFileError: There is no such model, or its file is damaged.
        ModelTaskError: It is a model of another task.
    """
    return PackedEmbedder(model, threads=threads)
