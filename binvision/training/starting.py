"""Weights of an earlier training as the start of a new one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from binvision.errors import ConfigError
from binvision.training.checkpoint import read_checkpoint

__all__ = ["take_weights"]

_NETWORK, _HEAD, _TEACHER = "network.", "network.head.", "teacher."


def take_weights(model: nn.Module, path: Path) -> list[str]:
    """Take over what a checkpoint of ``binvision train`` holds for a model in training.

    A teacher stays what it is, since it is named by itself. The head may have another shape, that
    of other classes; it then keeps its random weights.

    Args:
        model: What is trained, wrapped for several processes or not.
        path: The checkpoint.

    Returns:
        Names of the head's tensors that were not taken over.

    Raises:
        ModelFileError: The file is missing or unreadable.
        ConfigError: It is of another network.
    """
    content = read_checkpoint(path)
    earlier = _unwrapped(content.get("state_dict", {})) if isinstance(content, dict) else {}
    own = _unwrapped(model.state_dict())
    fits = {
        name: value
        for name, value in earlier.items()
        if name in own and own[name].shape == value.shape and not name.startswith(_TEACHER)
    }
    left = [name for name in own if name.startswith(_NETWORK) and name not in fits]
    # Also where this network lacks a part that the other one has.
    left += [name for name in earlier if name.startswith(_NETWORK) and name not in own]
    other = [name for name in left if not name.startswith(_HEAD)]
    if other:
        raise ConfigError(
            f"{path}: is of another network: {len(other)} of its tensors do not fit, such as "
            f"{other[0].removeprefix(_NETWORK)}; take the configuration that it was trained with"
        )
    with torch.no_grad():
        for name, value in fits.items():
            own[name].copy_(value)
    return [name.removeprefix(_NETWORK) for name in left]


def _unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names as in one process: ``torchrun`` wraps the model, or each part of it, as a module."""
    return {f".{name}".replace(".module.", ".")[1:]: value for name, value in state.items()}
