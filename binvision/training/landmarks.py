"""What a landmark configuration takes from its network."""

from __future__ import annotations

from mmengine.config import Config

__all__ = ["settle"]


def settle(config: Config) -> None:
    """Let the crops be those that the network is made for."""
    dataset, network = config.train_dataloader.dataset, config.model.network
    dataset.scheme, dataset.input_size = network.scheme, network.input_size
    dataset.crop = network.settings.crop
