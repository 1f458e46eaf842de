"""Rendered clips with exact boxes, to choose settings and seeds by: other ponds than the demo's.

    python -m benchmarks.rendered_clips --seeds 11 12 13 14 --out rendered
    binvision eval folder --root rendered --starts 4 --model bin-track

Each seed of :class:`~binvision.trackers.clip.DemoClip` gives a clip of 200 frames in the GOT-10k
layout. The paths are those of the demo in all of them; fish, floor and noise differ.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2

from binvision.errors import BinvisionError, UsageError
from binvision.trackers.clip import DemoClip

_QUALITY = 92


def main(arguments: list[str] | None = None) -> None:
    """Write the clips."""
    options = _parse(arguments)
    try:
        if options.out.exists():
            raise UsageError(f"{options.out} exists; name a new folder")
        for seed in options.seeds:
            write_sequence(DemoClip(seed), options.out / f"koi{seed}")
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    print(f"{len(options.seeds)} clips in {options.out}")


def write_sequence(clip: DemoClip, folder: Path) -> None:
    """Write a clip as pictures with ``groundtruth.txt``."""
    folder.mkdir(parents=True)
    rows = []
    for number, (frame, box) in enumerate(clip, 1):
        code = (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)
        cv2.imwrite(str(folder / f"{number:08d}.jpg"), frame, code)
        rows.append(",".join(f"{value:.2f}" for value in box))
    (folder / "groundtruth.txt").write_text("\n".join(rows) + "\n")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="a clip for each")
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
