"""Decoding against plain loops, on random maps and at the edges of what maps hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from binvision.detectors.decoding import Decoder, Placement, suppress
from binvision.detectors.detections import Detections
from binvision.detectors.settings import DetectorSettings
from binvision.errors import ModelError
from tests.support.slow_decoding import slow_candidates, slow_decode, slow_suppress

SETTINGS = DetectorSettings(("car", "bus", "bike"), stride=8, multiple=32, input_size=64)


def random_head(shape: tuple[int, int], classes: int, seed: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    head = rng.normal(size=(*shape, classes + 5)) * spread
    head[..., -4:] = rng.normal(size=(*shape, 4)) * spread / 3
    return head.astype(np.float32)


def rows(found: Detections) -> np.ndarray:
    """Score, label, x0, y0, x1, y1 of each: (N, 6)."""
    corners = found.boxes.astype(np.float64)
    corners[:, 2:] += corners[:, :2]
    return np.column_stack((found.scores, found.labels, corners))


def flat(expected: list) -> np.ndarray:
    return np.array([(score, label, *box) for score, label, box in expected]).reshape(-1, 6)


@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    classes=st.integers(1, 4),
    seed=st.integers(0, 2**32),
    spread=st.sampled_from([0.5, 3.0, 30.0]),
    threshold=st.sampled_from([0.0, 0.05, 0.4, 0.9]),
    weight=st.sampled_from([0.0, 0.3, 0.5, 0.9]),
    scale=st.sampled_from([0.25, 0.7, 1.0, 3.0]),
)
def test_scores_and_boxes_agree_with_plain_loops(
    shape: tuple[int, int], classes: int, seed: int, spread: float, threshold: float,
    weight: float, scale: float,
) -> None:  # fmt: skip
    # Nothing is suppressed, so that rounding at one bound cannot change what else is found.
    settings = DetectorSettings(tuple("abcd"[:classes]), 8, 32, 64, threshold, 1.0, weight, 10_000)
    head = random_head(shape, classes, seed, spread)
    size_hw = (max(1, int(8 * shape[0] / scale) - 3), max(1, int(8 * shape[1] / scale)))
    detections = Decoder(settings)(head, Placement(size_hw, (scale, scale)))
    assert (np.diff(detections.scores) <= 0).all()

    found = rows(detections)
    for margin, some, others in (
        (1e-5, flat(slow_candidates(head, settings, size_hw, scale)), found),
        (1e-5, found, flat(slow_candidates(head, settings, size_hw, scale))),
    ):
        sure = (some[:, 0] > threshold + margin) & (some[:, 4:] - some[:, 2:4] > 1e-2).all(1)
        for row in some[sure]:
            errors = np.abs(others - row) / [1e-5, 1e-5, *[1e-2] * 4]
            assert errors.max(1).min(initial=np.inf) < 1, row


@pytest.mark.parametrize("seed", range(4))
def test_whole_decoding_agrees_with_plain_loops(seed: int) -> None:
    settings = replace(SETTINGS, score_threshold=0.1, max_detections=40)
    head = random_head((20, 24), 3, seed, 2.0)
    found = rows(Decoder(settings)(head, Placement((150, 180), (1.0, 1.0))))
    expected = flat(slow_decode(head, settings, (150, 180), 1.0))
    assert len(found) == len(expected) == 40
    np.testing.assert_allclose(found, expected, atol=1e-2)


_SQUARES = st.lists(
    st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 30)] * 2, st.integers(0, 2)), max_size=60
)


@given(_SQUARES, st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
@example([], 0.5)
def test_suppression_agrees_with_plain_loops(squares: list, threshold: float) -> None:
    """Whole numbers and powers of two: nothing is rounded, and equal overlaps are equal."""
    expected = [
        (1 - number / 100, label, (float(x), float(y), float(x + w), float(y + h)))
        for number, (x, y, w, h, label) in enumerate(squares)
    ]
    corners = np.array([box for _, _, box in expected], np.float32).reshape(-1, 4)
    labels = np.array([label for _, label, _ in expected], np.int64)
    kept = suppress(corners, labels, threshold)
    assert [expected[index] for index in kept] == slow_suppress(expected, threshold)


def test_suppression_of_many_goes_block_by_block() -> None:
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 200, (900, 4)).astype(np.float32)
    corners[:, 2:] = corners[:, :2] + rng.integers(10, 60, (900, 2))
    labels = rng.integers(0, 3, 900)
    expected = [(1 - i / 1000, int(labels[i]), tuple(map(float, corners[i]))) for i in range(900)]
    kept = suppress(corners, labels, 0.25)
    assert [expected[index] for index in kept] == slow_suppress(expected, 0.25)
    assert 256 < len(kept) < 900
    for most in (1, 64, 100, 899):
        np.testing.assert_array_equal(suppress(corners, labels, 0.25, most), kept[:most])


def test_chains_of_doubles_are_settled_from_the_first() -> None:
    # Each overlaps its neighbours: the first drops the second, which then cannot drop the third.
    corners = np.array([(3 * i, 0, 3 * i + 10, 10) for i in range(100)], np.float32)
    assert suppress(corners, np.zeros(100, np.int64), 0.5).tolist() == list(range(0, 100, 2))


def test_nothing_is_found_where_nothing_is() -> None:
    head = np.full((3, 4, 8), -20, np.float32)
    found = Decoder(SETTINGS)(head, Placement((24, 32), (1.0, 1.0)))
    assert len(found) == 0 and found.boxes.shape == (0, 4)
    assert found.boxes.dtype == np.float32 and found.labels.dtype == np.int64
    assert found.names == []


def test_what_lies_in_the_padding_is_dropped() -> None:
    head = np.zeros((4, 4, 8), np.float32)
    head[..., :3] = -20
    head[3, 3, 1], head[3, 3, 3] = 8, 8
    decode = Decoder(SETTINGS)
    assert len(decode(head, Placement((20, 20), (1.0, 1.0)))) == 0
    found = decode(head, Placement((32, 32), (1.0, 1.0)))
    assert found.names == ["bus"]
    np.testing.assert_allclose(found.boxes, [[20, 20, 12, 12]])


def test_best_are_kept_where_there_are_too_many() -> None:
    settings = replace(SETTINGS, classes=("a",), max_detections=2, score_threshold=0.0)
    head = random_head((30, 30), 1, 0, 1.0)
    head[..., -4:] = -3  # small boxes that do not touch
    found = Decoder(settings)(head, Placement((240, 240), (1.0, 1.0)))
    expected = flat(slow_decode(head, settings, (240, 240), 1.0))
    np.testing.assert_allclose(rows(found), expected, atol=1e-3)


def test_size_of_the_map_may_change_between_calls() -> None:
    decode = Decoder(SETTINGS)
    for shape in ((4, 4), (8, 2), (3, 7), (4, 4)):
        head = random_head(shape, 3, 1, 3.0)
        size_hw = (8 * shape[0], 8 * shape[1])
        again = Decoder(SETTINGS)(head, Placement(size_hw, (1.0, 1.0)))
        np.testing.assert_array_equal(
            rows(decode(head, Placement(size_hw, (1.0, 1.0)))), rows(again)
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", [0, 3, 5])
def test_output_that_is_not_finite_is_refused(value: float, channel: int) -> None:
    head = np.zeros((4, 4, 8), np.float32)
    head[2, 1, channel] = value
    with pytest.raises(ModelError, match="output is not finite"):
        Decoder(SETTINGS)(head, Placement((32, 32), (1.0, 1.0)))


def test_numbers_of_any_size_overflow_nothing() -> None:
    head = np.full((2, 2, 8), 1e30, np.float32)
    head[0, 0] = -1e30
    found = Decoder(SETTINGS)(head, Placement((16, 16), (1.0, 1.0)))
    assert len(found) == 3  # one of each class
    np.testing.assert_array_equal(found.scores, 1)
    np.testing.assert_array_equal(found.boxes, [[0, 0, 16, 16]] * 3)


def test_take_keeps_the_order() -> None:
    head = random_head((6, 6), 3, 3, 3.0)
    found = Decoder(SETTINGS)(head, Placement((48, 48), (1.0, 1.0)))
    assert len(found) > 3
    for some in (found.take(found.labels == 1), found.take(np.flatnonzero(found.labels == 1))):
        assert set(some.names) == {"bus"} and some.classes == found.classes
        np.testing.assert_array_equal(some.scores, found.scores[found.labels == 1])
    assert len(found.take([])) == 0
    np.testing.assert_array_equal(found.take([0, 2]).boxes, found.boxes[[0, 2]])
