"""Clips with other light: what a camera's exposure, lamps and shadows do to a sequence.

    python -m benchmarks.changed_light --root train --out light
    binvision eval folder --root light --starts 4 --model bin-track

Each clip of ten frames or more is written anew, every frame multiplied by a gain: one to begin
with (.2 to 2.7), and another one (.17 to 3.3) from each of three random frames on, reached within
five frames. What exceeds the range of a pixel is cut off, and a little noise is added. The same
clips give the same light.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from binvision.errors import BinvisionError, UsageError
from binvision.media.images import read_image
from binvision.trackers.annotated_sequences import read_sequences

_LEAST_FRAMES = 10
_CHANGES = 3
_NOISE = 0.01


def main(arguments: list[str] | None = None) -> None:
    """Write the clips."""
    options = _parse(arguments)
    try:
        if options.out.exists():
            raise UsageError(f"{options.out} exists; name a new folder")
        found = [frames for frames, _ in read_sequences(options.root)]
        long = [frames for frames in found if len(frames) >= _LEAST_FRAMES]
        for number, frames in enumerate(sorted(long)):
            change_light(frames, options.out / frames[0].parent.name, seed=number)
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    print(f"{len(long)} clips in {options.out}")


def change_light(frames: list[Path], folder: Path, seed: int) -> None:
    """Write a sequence of the GOT-10k layout anew, with its truth."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    shutil.copy(frames[0].parent / "groundtruth.txt", folder)
    for path, gain in zip(frames, gains(len(frames), rng), strict=True):
        image = np.clip(read_image(path) / 255 * gain, 0, 1)
        image = np.clip(image + rng.normal(0, _NOISE, image.shape), 0, 1)
        code = (cv2.IMWRITE_JPEG_QUALITY, 92)
        cv2.imwrite(str(folder / path.name), (image * 255).astype(np.uint8), code)


def gains(count: int, rng: Generator) -> NDArray[np.float64]:
    """Return the gain of each frame, (count,)."""
    changes = set(rng.choice(np.arange(2, count - 1), _CHANGES, replace=False).tolist())
    level = rng.uniform(-1.6, 1.0)
    levels = np.zeros(count)
    for index in range(count):
        if index in changes:
            level = rng.uniform(-1.8, 1.2)
        levels[index] = level
    return np.exp(np.convolve(np.pad(levels, 2, mode="edge"), np.full(5, 0.2), "valid"))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="clips in the GOT-10k layout")
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
