"""The sheet of joints, on a network whose answers are known."""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import pose_sheet
from tests.support.landmark_models import chart_points, draw_chart, write_chart_model
from tests.support.point_sets import keypoints_row, write_keypoints_json

BOX = (60.0, 70.0, 120.0, 105.0)


@pytest.mark.parametrize(("shift", "shares"), [(0.0, {100}), (60.0, range(20))])
def test_lines_without_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shift: float, shares: Container[int]
) -> None:
    """Joints where they are annotated, and all of them far beside."""
    model = write_chart_model(tmp_path / "people.safetensors", settings={"scheme": "pose14"})
    truth = chart_points(BOX, 14)
    drawn = chart_points((BOX[0] + shift, *BOX[1:]), 14)
    grey = np.full((260, 280, 3), 128, np.uint8)
    data = write_keypoints_json(tmp_path, [("a.png", keypoints_row(truth))])
    cv2.imwrite(str(tmp_path / "a.png"), draw_chart(grey, (drawn[0, 0], *BOX[1:]), 14))
    out = tmp_path / "sheet.png"
    arguments = f"--model {model} --data {data} --images {tmp_path} --count 1 --out {out}".split()
    pose_sheet.main(arguments)
    said = re.search(r"1 people, (\d+)% of their joints within 0.2 torso", capsys.readouterr().out)
    assert said is not None and int(said[1]) in shares
    sheet = cv2.imread(str(out))
    assert sheet.shape == (160, 1600, 3)
    assert (sheet[:, 160:] == 255).all() and (sheet[:, :160] == pose_sheet.LEFT).all(2).any()


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^error: .*none\.safetensors"):
        pose_sheet.main(f"--model {tmp_path}/none.safetensors --data x --out y.png".split())
