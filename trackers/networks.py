"""From the name of a tracking model to its network, of whichever kind it is."""

from __future__ import annotations

from pathlib import Path

from binvision.errors import ModelTaskError
from binvision.trackers import box_settings, embedder
from binvision.trackers.box_network import BoxNetwork, PackedBoxNetwork
from binvision.trackers.embedder import Embedder, PackedEmbedder

__all__ = ["PackedNetwork", "TrackingNetwork", "open_network"]

TrackingNetwork = Embedder | BoxNetwork
"""What a `Tracker` can work with."""

PackedNetwork = PackedEmbedder | PackedBoxNetwork
"""Those that run packed models."""


def open_network(model: str | Path, *, threads: int = 1) -> PackedNetwork:
    """Load a model by its name in the zoo or by the path of its file.

    Raises:
        ModelFileError: There is no such model, or its file is damaged.
        ModelTaskError: It is a model of another task.
    """
    from binvision import runtime, zoo

    task = runtime.load(zoo.find(model)).task
    if task == box_settings.TASK:
        return PackedBoxNetwork(model, threads=threads)
    if task == embedder.TASK:
        return PackedEmbedder(model, threads=threads)
    raise ModelTaskError(
        f"model {model} is for {task}, but tracking needs one for {embedder.TASK} or "
        f"{box_settings.TASK}; 'binvision models' lists them"
    )
