"""PyTorch networks as the packed ones are called: pictures in, maps out, channels last."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["for_inference", "maps_of"]

Network = TypeVar("Network", bound=nn.Module)
Maps = NDArray[np.float32]


def for_inference(network: Network, threads: int) -> Network:
    """Put a network into evaluation mode and channels_last, and PyTorch on so many threads.

    The threads are for the whole process: PyTorch knows no narrower scope.
    """
    torch.set_num_threads(threads)
    return network.eval().to(memory_format=torch.channels_last)


def maps_of(network: nn.Module, images: NDArray[np.uint8], part: str = "forward") -> Maps:
    """Compute maps (N, h, w, C) of (N, H, W, 3) uint8 BGR pictures.

    Args:
        network: On any device; the pictures go there.
        images: The pictures.
        part: The network's method that computes them.
    """
    # An NHWC array seen as NCHW is what channels_last means: no copy but the cast to float.
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).to(next(network.parameters()))
    with torch.inference_mode():
        maps = getattr(network, part)(pixels)
    return np.ascontiguousarray(maps.permute(0, 2, 3, 1).cpu().numpy())
