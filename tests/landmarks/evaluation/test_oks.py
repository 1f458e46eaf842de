"""COCO's ten numbers against its tools as everybody runs them: through result files."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from binvision.landmarks.evaluation.oks import (
    NUMBERS,
    coco_results,
    oks_scores,
    read_coco_people,
)
from binvision.landmarks.evaluation.scores import Finding
from binvision.landmarks.formats.points import PointSet
from tests.support.point_benchmarks import write_coco_people
from tests.support.random_points import noisy, perfect
from tests.support.repository import ROOT

REAL = Path(os.environ.get("BINVISION_DATA", ROOT.parent / "shared" / "data")) / "formats/coco"


def by_the_tools(path: Path, data: PointSet, found: list[Finding], tmp_path: Path) -> list[float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    (tmp_path / "results.json").write_text(json.dumps(coco_results(data, found, 1)))
    with redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def check(path: Path, pixels: float, missed: tuple[int, ...], tmp_path: Path) -> float:
    data = read_coco_people(path)
    found = noisy(data, pixels, 3, missed)
    (row,) = oks_scores(path, data, found)
    expected = by_the_tools(path, data, found, tmp_path)
    assert list(row.figures) == list(NUMBERS)
    given = [-1 if value is None else value for value in row.figures.values()]
    assert given == pytest.approx(expected, abs=1e-12)
    assert (row.pictures, row.missed, row.points) == (len(data.pictures), len(missed), 17)
    return expected[0]


@pytest.mark.parametrize("missed", [(), (0, 3)])
def test_noisy_joints(tmp_path: Path, missed: tuple[int, ...]) -> None:
    path = write_coco_people(tmp_path / "coco", 6)
    assert 0.05 < check(path, 2.0, missed, tmp_path) < 0.95


def test_perfect_and_no_joints(tmp_path: Path) -> None:
    path = write_coco_people(tmp_path / "coco", 4)
    data = read_coco_people(tmp_path / "coco")
    (row,) = oks_scores(tmp_path / "coco", data, perfect(data))
    assert row.figures["AP"] == pytest.approx(1) and row.figures["AR"] == pytest.approx(1)
    (row,) = oks_scores(path, data, [Finding(None, 0, 0)] * 4)
    assert row.figures["AP"] == 0 and row.figures["AR"] == 0 and row.missed == 4
    assert row.curve == () and row.length == ""


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no samples in {REAL}; set BINVISION_DATA")
@pytest.mark.parametrize("pixels", [0.0, 2.0, 6.0, 60.0])
def test_real_people(tmp_path: Path, pixels: float) -> None:
    ap = check(REAL / "test_coco.json", pixels, (), tmp_path)
    assert (ap == pytest.approx(1)) if not pixels else ap < 0.99


def test_results_have_the_numbers_of_the_annotations(tmp_path: Path) -> None:
    write_coco_people(tmp_path)
    data = read_coco_people(tmp_path)
    found = perfect(data)
    first = coco_results(data, found, 7)[0]
    assert first["image_id"] == 1000 and first["category_id"] == 7
    joints = np.reshape(first["keypoints"], (17, 3))[:, :2]
    assert np.allclose(joints, data.pictures[0].points, atol=1e-3)
