"""An archive of labelled pictures: plain colours with noise, a colour a class."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

__all__ = ["CLASSES", "write_pictures"]

CLASSES = ("blue", "green", "red")


def write_pictures(path: Path, train: int = 12, test: int = 6, side: int = 8) -> Path:
    """Write an archive; picture i shows class i % 3."""
    rng = np.random.default_rng(0)
    arrays = {"classes": np.array(CLASSES)}
    for split, count in (("train", train), ("test", test)):
        labels = np.arange(count) % len(CLASSES)
        codes = []
        for label in labels:
            image = rng.normal(90, 20, (side, side, 3))
            image[..., label] += 100
            done, code = cv2.imencode(".png", image.clip(0, 255).astype(np.uint8))
            assert done
            codes.append(code.ravel())
        arrays[f"{split}_jpeg"] = np.concatenate(codes)
        arrays[f"{split}_offsets"] = np.cumsum([0, *map(len, codes)])
        arrays[f"{split}_labels"] = labels.astype(np.uint8)
    np.savez(path, **arrays)
    return path
