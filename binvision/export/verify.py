"""Proof on pictures that the packed model computes what the network computes, on this CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from binvision.errors import ExportError
from binvision.runtime import PackedModel, Runner

__all__ = ["verify"]

# A value within rounding of a sign's threshold, or of the middle between two 8-bit numbers, may
# fall on the other side, and later layers enlarge the difference: most where the picture is unlike
# any that the network knows. Real faults (a wrong fold, a wrong kernel) move results by their size.
MOST = 0.05


def verify(
    network: nn.Module,
    model: PackedModel,
    size_hw: tuple[int, int],
    pictures: Sequence[np.ndarray] = (),
    exemplars: Mapping[str, np.ndarray] | None = None,
) -> float:
    """Run both on the same pictures.

    Args:
        network: The network that was exported, in evaluation mode.
        model: Its packed form.
        size_hw: Height and width in pixels of a synthetic picture, if there are no others.
        pictures: What the network is meant for: (1, H, W, 3) uint8 each.
        exemplars: The model's exemplars, float32 (h, w, C) each; noise by default.

    Returns:
        Root-mean-square difference of the results, relative to their root mean square; the
        greatest over all results, the median over the pictures. Some 1e-7 where no value fell to
        the other side of its threshold.

    Raises:
        ExportError: They differ by more than rounding explains.
    """
    rng = np.random.default_rng(0)
    noise = {
        name: rng.normal(size=size).astype(np.float32) for name, size in model.exemplars.items()
    }
    given = {**noise, **(exemplars or {})}
    compared = [
        _compare(network, model, picture, given) for picture in (pictures or [_synthetic(size_hw)])
    ]
    compared.sort(key=lambda one: np.inf if np.isnan(one[0]) else one[0])
    difference, name = compared[len(compared) // 2]
    if not difference <= MOST:
        raise ExportError(
            f"network {model.name!r}: packed and PyTorch results differ: {name!r} by "
            f"{difference:.2g} of its size, expected at most {MOST}; please report it with the "
            f"configuration"
        )
    return difference


def _compare(
    network: nn.Module, model: PackedModel, picture: np.ndarray, exemplars: Mapping[str, np.ndarray]
) -> tuple[float, str]:
    """The greatest difference over all results, and the result that has it."""
    runner = Runner(model, batch=1, size_hw=(picture.shape[1], picture.shape[2]))
    for name, values in exemplars.items():
        runner.set_exemplar(name, values)
    ours = runner(picture)
    with torch.inference_mode():
        result = network(
            torch.from_numpy(picture).permute(0, 3, 1, 2).float(),
            *(torch.from_numpy(exemplars[name]).permute(2, 0, 1)[None] for name in model.exemplars),
        )
    results = result if isinstance(result, dict | tuple) else (result,)
    theirs = (
        results if isinstance(results, dict) else dict(zip(model.outputs, results, strict=True))
    )
    return max((_difference(ours[name], _in_nhwc(theirs[name])), name) for name in theirs)


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


def _synthetic(size_hw: tuple[int, int]) -> np.ndarray:
    """Noise over waves, uint8 (1, H, W, 3): every intensity, smooth parts and edges."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    waves = np.stack([np.sin(y / 9 + x / 23 + phase) for phase in (0, 2, 4)], axis=-1)
    noise = rng.normal(scale=0.3, size=waves.shape)
    return np.clip(127.5 + 90 * (waves + noise), 0, 255).astype(np.uint8)[np.newaxis]
