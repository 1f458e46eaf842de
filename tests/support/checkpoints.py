"""Checkpoints as ``binvision train`` writes them, without the training."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from binvision.trackers.model import SiamFC, SiamFCConfig
from tests.support.torch_networks import randomize

__all__ = ["write_checkpoint"]


def write_checkpoint(path: Path, method: str = "rbcn", seed: int = 0) -> SiamFC:
    """Write a small network with random weights; returns it."""
    backbone = {"type": "residual", "method": method, "blocks": 2, "channels": 64}
    network = randomize(SiamFC(SiamFCConfig(backbone)), seed)
    record = {"network": asdict(network.config), "training": {"experiment": "random", "seed": 0}}
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"binvision": record, "state_dict": weights}, path)
    return network
