"""Reading what ``binvision train`` wrote: which network it is, and its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from binvision.errors import ConfigError, ModelFileError, ModelTaskError

__all__ = ["load_network", "read_checkpoint", "task_of"]

Network = TypeVar("Network", bound=nn.Module)

_PREFIX = "network."
# Under torchrun a guided network is wrapped by itself.
_WRAPPED = "module."


def task_of(path: Path) -> str:
    """Return the task of a checkpoint's network, for example ``"tracking/siamfc"``.

    Raises:
        ModelFileError: The file is missing, unreadable, or not such a checkpoint.
    """
    content = read_checkpoint(path)
    try:
        return str(content["binvision"]["task"])
    except (LookupError, TypeError) as error:
        raise _not_one(path, error) from error


def load_network(
    path: Path, task: str, build: Callable[[dict[str, Any]], Network]
) -> tuple[Network, dict[str, Any]]:
    """Rebuild a trained network from a checkpoint of ``binvision train``.

    The file is read with ``weights_only=True``: it can hold tensors and plain data, not code.

    Args:
        path: The file.
        task: What the network must be for.
        build: Makes the network from its configuration.

    Returns:
        The network in evaluation mode, and the record of its training (data, schedule, seed).

    Raises:
        ModelFileError: The file is missing, unreadable, or not such a checkpoint.
        ModelTaskError: It is a checkpoint of another task.
    """
    content = read_checkpoint(path)
    try:
        record = content["binvision"]
        found, training = record["task"], record["training"]
        if found != task:
            raise ModelTaskError(f"{path}: a checkpoint for {found}; expected one for {task}")
        network = build(record["network"])
        network.load_state_dict(
            {
                name.removeprefix(_PREFIX).removeprefix(_WRAPPED): value
                for name, value in content["state_dict"].items()
                if name.startswith(_PREFIX)
            }
        )
    except (ConfigError, ModelTaskError):
        raise
    except Exception as error:
        raise _not_one(path, error) from error
    return network.eval(), training


def read_checkpoint(path: Path) -> Any:
    """Read the file: tensors and plain data, no code.

    Raises:
        ModelFileError: The file is missing or unreadable.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such checkpoint")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _not_one(path, error) from error


def _not_one(path: Path, error: Exception) -> ModelFileError:
    return ModelFileError(
        f"{path}: not a checkpoint that 'binvision train' wrote ({str(error).splitlines()[0]}); "
        f"pass the .pth file of a work directory"
    )
