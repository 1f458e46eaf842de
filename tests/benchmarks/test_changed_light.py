"""Clips in other light: as long, with the same truth, and with light that changes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.changed_light import gains, main
from tests.support.photographs import write_sequences


def test_clips_are_written_with_their_truth(tmp_path: Path) -> None:
    root = write_sequences(tmp_path / "clips", sequences=2, frames=12)
    main(["--root", str(root), "--out", str(tmp_path / "light")])
    for clip in root.iterdir():
        written = tmp_path / "light" / clip.name
        truth = "groundtruth.txt"
        assert (written / truth).read_text() == (clip / truth).read_text()
        names = sorted(path.name for path in clip.glob("*.jpg"))
        assert sorted(path.name for path in written.glob("*.jpg")) == names
        before, after = (
            np.array([cv2.imread(str(folder / name)).mean() for name in names])
            for folder in (clip, written)
        )
        assert np.ptp(np.log(after / before)) > 0.3
    with pytest.raises(SystemExit, match="exists; name a new folder"):
        main(["--root", str(root), "--out", str(tmp_path / "light")])


@pytest.mark.parametrize("count", [10, 47, 300])
def test_gains_stay_in_their_range(count: int) -> None:
    for seed in range(20):
        found = np.log(gains(count, np.random.default_rng(seed)))
        assert found.shape == (count,)
        assert -1.8 <= found.min() <= found.max() <= 1.2
        assert np.abs(np.diff(found)).max() <= 3 * 0.2 + 1e-9 or count < 20
    again = gains(count, np.random.default_rng(3))
    np.testing.assert_array_equal(again, gains(count, np.random.default_rng(3)))
