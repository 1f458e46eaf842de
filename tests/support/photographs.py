"""Small training data made on the spot: textured pictures, archives, sequences."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

__all__ = ["textured_picture", "write_archive", "write_sequences"]


def textured_picture(seed: int, height: int = 180, width: int = 240) -> np.ndarray:
    """A picture (height, width, 3) uint8 with structure at several scales."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.uniform(0, 255, (side, side, 3)), (width, height)) for side in (3, 12, 48)
    ]
    return np.mean(layers, axis=0).astype(np.uint8)


def write_archive(path: Path, count: int = 6, *, boxes: bool = True) -> Path:
    """Write a photograph archive; odd pictures have a box where ``boxes`` is set."""
    codes = [cv2.imencode(".jpg", textured_picture(seed))[1].ravel() for seed in range(count)]
    content = {
        "jpeg": np.concatenate(codes),
        "offsets": np.cumsum([0, *(len(code) for code in codes)]),
    }
    if boxes:
        content["boxes"] = np.array([[i, 60, 40, 70, 50] for i in range(1, count, 2)])
    np.savez(path, **content)
    return path


def write_sequences(root: Path, sequences: int = 2, frames: int = 5) -> Path:
    """Write sequences in the GOT-10k layout; the box moves four pixels a frame."""
    for s in range(sequences):
        folder = root / f"clip{s}"
        folder.mkdir(parents=True)
        for f in range(frames):
            cv2.imwrite(str(folder / f"{f + 1:08d}.jpg"), textured_picture(10 * s + f))
        lines = [f"{50 + 4 * f},{40 + 4 * f},60,40" for f in range(frames)]
        (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return root
