"""The live path with a photographed face: a network camera, ``align``, a browser."""

from __future__ import annotations

import csv
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from binvision import zoo
from binvision.cli.align import MODEL
from tests.support.face_films import face_film
from tests.support.live import network_camera, serving
from tests.support.patience import patience
from tests.support.repository import ROOT
from tests.support.viewers import ask, browser, next_picture, screenshot

PHOTOGRAPHS = Path(os.environ.get("BINVISION_DATA", ROOT.parent / "shared" / "data")) / (
    "face/300w/helen/testset"
)
FRAMES = 100
NEAR = 0.08  # mean error of the points between the outer corners of the eyes

pytestmark = [
    pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason=f"no {PHOTOGRAPHS}; set BINVISION_DATA"),
    pytest.mark.skipif(MODEL not in zoo.names(), reason=f"{MODEL} is not shipped"),
]


@pytest.fixture(scope="module")
def film() -> tuple[list[NDArray[np.uint8]], NDArray[np.float64]]:
    return face_film(PHOTOGRAPHS, FRAMES, number=21)


def error_of(points: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Mean distance over that between the outer corners of the eyes, to the nearest frame."""
    eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1)
    return float((np.linalg.norm(points - truth, axis=2).mean(1) / eyes).min())


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_points_follow_a_photographed_face(
    film: tuple[list[NDArray[np.uint8]], NDArray[np.float64]], tmp_path: Path
) -> None:
    frames, truth = film
    results = tmp_path / "found.csv"
    with (
        network_camera(frames) as camera,
        serving("align", camera, "--results", results) as (process, address),
    ):
        stream = ask(address, "/stream.mjpg")
        for _ in range(FRAMES // 2):
            picture = next_picture(stream)
            assert picture is not None and picture.shape == frames[0].shape
        process.send_signal(signal.SIGINT)
        while next_picture(stream) is not None:
            pass
        out, err = process.communicate(timeout=patience(60))
    assert process.returncode == 130, err
    rows = list(csv.DictReader(results.read_text().splitlines()))
    assert {row["face"] for row in rows} == {"1"}
    assert len(rows) == int(out.split(" frame")[0])
    first = list(rows[0]).index("right_jaw_1_x")
    for row in rows:
        points = np.array(list(row.values())[first:], float).reshape(68, 2)
        assert error_of(points, truth) < NEAR


@pytest.mark.skipif(browser() is None, reason="no chromium that runs without a screen")
def test_a_browser_shows_points_on_a_photographed_face(
    film: tuple[list[NDArray[np.uint8]], NDArray[np.float64]], tmp_path: Path
) -> None:
    frames, truth = film
    with network_camera(frames[:1]) as camera, serving("align", camera) as (_, address):
        window = screenshot(address, tmp_path / "window.png", (640, 480))
    changed = np.abs(window.astype(int) - frames[0]).min(2) > 60
    rows, columns = np.nonzero(changed & (window.min(2) > 170))
    distances = np.hypot(*(truth[0][:, None] - np.stack((columns, rows), 1)).transpose(2, 0, 1))
    assert np.median(distances.min(1)) < 4
