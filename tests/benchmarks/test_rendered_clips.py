"""Rendered clips on disk: read as sequences, with the truth of what was rendered."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.rendered_clips import main, write_sequence
from binvision.trackers.clip import DemoClip
from binvision.trackers.evaluation.folder_layout import find_sequences


def test_a_clip_is_written_as_it_is_rendered(tmp_path: Path) -> None:
    write_sequence(DemoClip(5, count=3), tmp_path / "koi5")
    (sequence,) = find_sequences([tmp_path])
    assert (sequence.name, len(sequence.frames)) == ("koi5", 3)
    rendered = list(DemoClip(5, count=3))
    np.testing.assert_allclose(sequence.truth_xywh, [box for _, box in rendered], atol=0.005)
    for path, (frame, _) in zip(sequence.frames, rendered, strict=True):
        assert np.abs(cv2.imread(str(path)).astype(int) - frame).mean() < 4


def test_an_older_folder_is_kept(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="exists; name a new folder"):
        main(["--seeds", "5", "--out", str(tmp_path)])
