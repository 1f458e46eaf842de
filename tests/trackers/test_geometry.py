"""Crops against a slow reference in float64 that looks up every output pixel by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binvision.trackers.geometry import Window, context_side, crop_square, mean_colour
from tests.support.footage import texture

FILL = (11.0, 120.0, 240.0)


def reference_crop(frame: np.ndarray, window: Window, size: int) -> np.ndarray:
    """Bilinear look-up of each output pixel's centre in the window; outside lies the fill.

    Beyond the outermost pixel centres of the window its own border is repeated, as in any resize.
    """
    height, width = frame.shape[:2]
    left, top = (round(centre - window.side / 2) for centre in window.centre_xy)

    def pixel(row: int, column: int) -> np.ndarray:
        row = top + min(max(row - top, 0), window.side - 1)
        column = left + min(max(column - left, 0), window.side - 1)
        inside = 0 <= row < height and 0 <= column < width
        return frame[row, column].astype(np.float64) if inside else np.rint(np.array(FILL))

    out = np.empty((size, size, 3))
    for i in range(size):
        y = top + (i + 0.5) * window.side / size - 0.5
        for j in range(size):
            x = left + (j + 0.5) * window.side / size - 0.5
            row, column = math.floor(y), math.floor(x)
            fy, fx = y - row, x - column
            out[i, j] = (
                (1 - fy) * (1 - fx) * pixel(row, column)
                + (1 - fy) * fx * pixel(row, column + 1)
                + fy * (1 - fx) * pixel(row + 1, column)
                + fy * fx * pixel(row + 1, column + 1)
            )
    return out


@pytest.mark.parametrize(
    ("centre", "side"),
    [
        ((60.0, 40.0), 30.0),  # inside, enlarged
        ((60.3, 40.8), 31.4),  # rounded
        ((60.0, 40.0), 24.0),  # unchanged
        ((50.0, 40.0), 40.0),  # reduced
        ((3.0, 2.0), 28.0),  # over the upper left corner
        ((119.5, 79.0), 33.0),  # over the lower right corner
        ((60.0, 40.0), 47.0),  # almost the whole height
        ((60.0, 40.0), 45.0),
    ],
)
def test_crops_equal_the_reference(centre: tuple[float, float], side: float) -> None:
    frame = texture(80, 120, seed=3)
    out = np.empty((24, 24, 3), np.uint8)
    window = crop_square(frame, centre, side, FILL, out)
    assert np.abs(out - reference_crop(frame, window, 24)).max() <= 1.0


@given(
    x=st.floats(-40, 160), y=st.floats(-40, 120), side=st.floats(1, 400), size=st.integers(8, 64)
)
@settings(max_examples=200, deadline=None)
def test_the_window_is_what_was_asked_for_but_for_rounding(
    x: float, y: float, side: float, size: int
) -> None:
    frame = np.full((80, 120, 3), 77, np.uint8)
    out = np.empty((size, size, 3), np.uint8)
    window = crop_square(frame, (x, y), side, FILL, out)
    block = max(1, int(side / size))
    assert abs(window.side - side) <= block / 2 + 1e-9
    assert abs(window.centre_xy[0] - x) <= block / 2 + 1e-9
    assert abs(window.centre_xy[1] - y) <= block / 2 + 1e-9
    assert window.side > 0


@pytest.mark.parametrize("reduction", [2, 3, 5, 9])
def test_strong_reductions_average_every_pixel(reduction: int) -> None:
    """A fine chequerboard becomes its mean; interpolation alone would keep black and white."""
    rows, columns = np.indices((500, 500))
    board = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    out = np.empty((50, 50, 3), np.uint8)
    crop_square(board, (250.0, 250.0), 50 * reduction, FILL, out)
    assert np.abs(out.astype(int) - 127.5).max() <= 1


def test_strong_reductions_over_the_border_keep_their_place() -> None:
    frame = np.zeros((200, 200, 3), np.uint8)
    frame[:, 120:] = 255
    out = np.empty((40, 40, 3), np.uint8)
    window = crop_square(frame, (180.0, 100.0), 160.0, (0.0, 0.0, 0.0), out)
    bright = (out[20, :, 0] > 127).nonzero()[0]
    scale = window.side / 40
    left = window.centre_xy[0] - window.side / 2
    assert left + bright[0] * scale == pytest.approx(120, abs=scale)
    assert left + (bright[-1] + 1) * scale == pytest.approx(200, abs=scale)


def test_a_crop_that_misses_the_frame_is_all_fill() -> None:
    out = np.empty((16, 16, 3), np.uint8)
    crop_square(texture(80, 120, seed=0), (-500.0, 40.0), 30.0, FILL, out)
    np.testing.assert_array_equal(out, np.broadcast_to(FILL, out.shape))


def test_the_frame_is_not_changed() -> None:
    frame = texture(80, 120, seed=0)
    before = frame.copy()
    crop_square(frame, (0.0, 0.0), 60.0, FILL, np.empty((16, 16, 3), np.uint8))
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize("size_wh", [(40.0, 40.0), (10.0, 90.0), (3.5, 2.0)])
def test_context_side_is_the_papers(size_wh: tuple[float, float]) -> None:
    """s(w + 2p) x s(h + 2p) = A with p = (w + h) / 4, section 3.1."""
    w, h = size_wh
    p = (w + h) / 4
    assert context_side(size_wh, 0.5) == pytest.approx(math.sqrt((w + 2 * p) * (h + 2 * p)))
    assert context_side((40.0, 40.0), 0.5) == 80.0


def test_mean_colour_is_per_channel() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[..., 0], frame[:2, :, 2] = 200, 100
    assert mean_colour(frame) == (200.0, 0.0, 50.0)
