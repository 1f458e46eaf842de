"""Proof on one image that the packed model computes what the network computes, on this CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from binvision.errors import ExportError
from binvision.runtime import PackedModel, Runner

__all__ = ["verify"]

# A value within rounding of a sign's threshold may fall on the other side; each such bit moves
# the features a little. Real faults (a wrong fold, a wrong kernel) move them by their own size.
MOST = 0.05


def verify(network: nn.Module, model: PackedModel, size_hw: tuple[int, int]) -> float:
    """Run both on one picture.

    Args:
        network: The network that was exported, in evaluation mode.
        model: Its packed form.
        size_hw: Height and width of the picture in pixels.

    Returns:
        Root-mean-square difference of the results, relative to their root mean square; the
        greatest over all results. Some 1e-7 where no bit fell to the other side of its threshold.

    Raises:
        ExportError: They differ by more than rounding explains.
    """
    image = _picture(size_hw)
    ours = Runner(model, batch=1, size_hw=size_hw)(image)
    with torch.inference_mode():
        result = network(torch.from_numpy(image).permute(0, 3, 1, 2).float())
    theirs = result if isinstance(result, dict) else {model.outputs[0]: result}
    differences = {name: _difference(ours[name], _in_nhwc(theirs[name])) for name in theirs}
    name, worst = max(differences.items(), key=lambda item: item[1])
    if not worst <= MOST:
        raise ExportError(
            f"network {model.name!r}: packed and PyTorch results differ: {name!r} by {worst:.2g} "
            f"of its size, expected at most {MOST}; please report it with the configuration"
        )
    return worst


def _in_nhwc(result: Tensor) -> np.ndarray:
    """Return (N, C, H, W), or (N, C) of one pixel, in the runtime's order of axes."""
    return (
        result.reshape(*result.shape[:2], *(result.shape[2:] or (1, 1))).permute(0, 2, 3, 1).numpy()
    )


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.shape != theirs.shape:
        return float("inf")
    size = np.sqrt(np.mean(np.square(theirs, dtype=np.float64)))
    error = np.sqrt(np.mean(np.square(ours - theirs, dtype=np.float64)))
    return float(error / max(size, np.finfo(np.float32).tiny))


def _picture(size_hw: tuple[int, int]) -> np.ndarray:
    """Noise over waves, uint8 (1, H, W, 3): every intensity, smooth parts and edges."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    waves = np.stack([np.sin(y / 9 + x / 23 + phase) for phase in (0, 2, 4)], axis=-1)
    noise = rng.normal(scale=0.3, size=waves.shape)
    return np.clip(127.5 + 90 * (waves + noise), 0, 255).astype(np.uint8)[np.newaxis]
