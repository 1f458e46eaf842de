"""Measures against the got10k toolkit's own functions and against the definitions, spelled out."""

from __future__ import annotations

import builtins
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from binvision.errors import DataError, MissingExtraError
from binvision.trackers.evaluation import metrics
from binvision.trackers.evaluation.rules import RULES
from binvision.trackers.evaluation.scoring import score_boxes
from tests.support.official_scores import degenerate, plausible
from tests.support.official_scores import overlap as overlap_by_definition

pytest.importorskip("got10k")
from got10k.experiments import ExperimentGOT10k, ExperimentOTB
from got10k.utils.metrics import center_error, rect_iou

EXACT = {"abs": 1e-9, "rel": 0}


def score(tracked: np.ndarray, truth: np.ndarray):
    """Scores of a track whose every frame counts, started with the truth."""
    started = np.concatenate([truth[:1], tracked[1:]])
    return score_boxes(started, truth, RULES["folder"]).scores


def random_pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    one = plausible(seed)
    return one.tracked, one.truth


PAIRS = [
    *map(random_pair, range(20)),
    *((one.tracked, one.truth) for one in degenerate().values()),
    (np.array([[0.0, 0, 1e-3, 1e-3]] * 3), np.array([[0.0, 0, 1e-3, 1e-3]] * 3)),
]


@pytest.mark.parametrize("pair", PAIRS)
def test_scores_agree_with_the_toolkits_experiments(pair):
    tracked, truth = (array.copy() for array in pair)
    tracked[0] = truth[0]  # as ExperimentOTB.report does
    otb = SimpleNamespace(nbins_iou=21, nbins_ce=51)
    success, precision = ExperimentOTB._calc_curves(
        otb, *ExperimentOTB._calc_metrics(otb, tracked, truth)
    )
    overlap = rect_iou(tracked[1:], truth[1:])  # as ExperimentGOT10k.report does
    ao, sr50, _, _ = ExperimentGOT10k._evaluate(SimpleNamespace(), overlap, np.ones(1))
    scores = score(*pair)
    assert scores.success_auc == pytest.approx(np.mean(success), **EXACT)
    assert scores.precision == pytest.approx(precision[20], **EXACT)
    assert (scores.ao, scores.sr50) == pytest.approx((ao, sr50), **EXACT)
    np.testing.assert_allclose(
        metrics.success_curve(metrics.overlaps(tracked, truth)), success, atol=1e-9, rtol=0
    )
    np.testing.assert_allclose(
        metrics.precision_curve(metrics.center_errors_px(tracked, truth)),
        precision,
        atol=1e-9,
        rtol=0,
    )


@pytest.mark.parametrize("seed", range(5))
def test_frame_by_frame_agreement_with_the_toolkit(seed):
    tracked, truth = random_pair(seed)
    np.testing.assert_allclose(
        metrics.overlaps(tracked, truth), rect_iou(tracked, truth), atol=1e-9
    )
    np.testing.assert_allclose(
        metrics.center_errors_px(tracked, truth), center_error(tracked, truth), atol=1e-9
    )


def test_overlap_equals_counted_pixels():
    rng = np.random.default_rng(3)
    boxes = rng.integers(0, 12, (2, 50, 4)) + [0, 0, 1, 1]
    for a, b in zip(*boxes, strict=True):
        masks = np.zeros((2, 32, 32), bool)
        for mask, (x, y, w, h) in zip(masks, (a, b), strict=True):
            mask[y : y + h, x : x + w] = True
        counted = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        assert metrics.overlaps(a[None], b[None])[0] == pytest.approx(counted, **EXACT)


def test_a_box_that_is_not_finite_is_a_miss_and_not_a_hole():
    truth = np.array([[10.0, 20, 30, 40]] * 5)
    tracked = truth.copy()
    tracked[2, 0] = np.nan
    tracked[3, 3] = np.inf
    assert metrics.overlaps(tracked, truth).tolist() == pytest.approx([1, 1, 0, 0, 1])
    assert np.isinf(metrics.center_errors_px(tracked, truth)).tolist() == [0, 0, 1, 1, 0]
    scores = score(tracked, truth)
    assert scores.ao == pytest.approx(0.5)
    assert scores.precision == pytest.approx(0.6)
    assert scores.normalised_precision == pytest.approx(0.6)


def test_a_perfect_track_and_the_first_frame():
    truth = np.array([[10.0, 20, 30, 40]] * 4)
    perfect = score(truth, truth)
    assert (perfect.ao, perfect.sr75, perfect.precision) == pytest.approx((1, 1, 1))
    assert perfect.success_auc == pytest.approx(20 / 21)  # nothing exceeds the last threshold, 1
    lost = score(truth + 500, truth)
    # GOT-10k leaves the given frame out, OTB counts it as a hit.
    assert (lost.ao, lost.frames) == (0, 3)
    assert lost.precision == pytest.approx(1 / 4)
    assert lost.success_auc == pytest.approx(20 / 21 / 4)


def test_arguments_are_left_alone():
    for tracked, truth in PAIRS:
        before = tracked.copy(), truth.copy()
        score(tracked, truth)
        metrics.overlaps(tracked, truth, (64, 48))  # the toolkit would clip these arrays
        np.testing.assert_array_equal(tracked, before[0])
        np.testing.assert_array_equal(truth, before[1])


def test_overlap_within_the_picture_equals_counted_pixels():
    rng = np.random.default_rng(4)
    boxes = rng.integers(-6, 12, (2, 80, 4)) * [1, 1, 0, 0] + rng.integers(1, 20, (2, 80, 4))
    for a, b in zip(*boxes, strict=True):
        masks = np.zeros((2, 48, 48), bool)
        for mask, (x, y, w, h) in zip(masks, (a, b), strict=True):
            # As GOT-10k clips: the corner first, and then a size that still fits.
            x, y = max(x, 0), max(y, 0)
            mask[y : min(y + h, 16), x : min(x + w, 24)] = True
        counted = (masks[0] & masks[1]).sum() / max((masks[0] | masks[1]).sum(), 1)
        clipped = metrics.overlaps(a[None], b[None], (24, 16))[0]
        assert clipped == pytest.approx(counted, **EXACT)


COORDINATES = st.floats() | st.floats(-300, 300) | st.sampled_from([0.0, -0.0, 1.0, 20.0])
BOXES = arrays(np.float64, (8, 4), elements=COORDINATES)


@given(tracked=BOXES, truth=BOXES, size_wh=st.none() | st.just((64, 48)))
@settings(deadline=None)
def test_any_numbers_give_figures(tracked, truth, size_wh):
    """Boxes with NaN, infinities, and areas and distances beyond what a float holds."""
    overlap = metrics.overlaps(tracked, truth, size_wh)
    assert ((overlap >= 0) & (overlap <= 1)).all()
    for errors in (
        metrics.center_errors_px(tracked, truth),
        metrics.normalised_center_errors(tracked, truth),
    ):
        assert (errors >= 0).all()
    sane = (np.abs(np.concatenate([tracked, truth], axis=1)) < 1e6).all(axis=1)
    # The toolkit adds 2e-16 to the area of the union, which matters where that is as small.
    sane &= (truth[:, 2:] > 1e-3).all(axis=1)
    for row in np.flatnonzero(sane):
        expected = overlap_by_definition(tracked[row], truth[row], size_wh)
        assert overlap[row] == pytest.approx(expected, **EXACT)


def test_a_true_box_that_is_no_box_cannot_be_hit():
    truth = np.array([[10.0, 20, 30, 40], [10, 20, 0, 40], [np.nan] * 4])
    tracked = np.array([[10.0, 20, 30, 40]] * 3)
    assert metrics.overlaps(tracked, truth).tolist() == pytest.approx([1, 0, 0])
    assert metrics.center_errors_px(tracked, truth).tolist() == [0, 15, np.inf]
    assert metrics.normalised_center_errors(tracked, truth).tolist() == [0, np.inf, np.inf]


def test_bootstrap_interval():
    assert metrics.bootstrap_interval([0.4, 0.4, 0.4]) == pytest.approx((0.4, 0.4))
    values = np.random.default_rng(0).random(200)
    low, high = metrics.bootstrap_interval(values)
    margin = 1.96 * values.std() / math.sqrt(200)  # the normal approximation
    assert low == pytest.approx(values.mean() - margin, abs=0.004)
    assert high == pytest.approx(values.mean() + margin, abs=0.004)
    assert metrics.bootstrap_interval(values) == (low, high)


def test_bootstrap_interval_of_very_many_sequences_is_drawn_in_parts(monkeypatch):
    values = np.random.default_rng(2).random(70)
    at_once = metrics.bootstrap_interval(values)
    monkeypatch.setattr(metrics, "_PICKS_AT_ONCE", 1000)
    assert metrics.bootstrap_interval(values) == at_once


def test_bootstrap_interval_of_a_weighted_mean():
    values, weights = [0.2, 0.8], [1.0, 3.0]
    assert metrics.bootstrap_interval(values, weights) == pytest.approx((0.2, 0.8))
    values, weights = np.random.default_rng(1).random((2, 300))
    low, high = metrics.bootstrap_interval(values, weights)
    mean = np.average(values, weights=weights)
    # Linearised: the ratio's residuals, weighted.
    margin = 1.96 * np.sqrt(np.square(weights * (values - mean)).sum()) / weights.sum()
    assert (low, high) == pytest.approx((mean - margin, mean + margin), abs=0.004)


def test_shapes_that_do_not_fit():
    with pytest.raises(DataError, match=r"must both be \[N, 4\], found \[3, 4\] and \[2, 4\]"):
        metrics.overlaps(np.zeros((3, 4)), np.zeros((2, 4)))


def test_missing_toolkit_names_the_extra(monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("got10k"):
            raise ImportError("No module named 'got10k'", name="got10k")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r'pip install "binvision\[eval\]"'):
        metrics.overlaps(np.ones((2, 4)), np.ones((2, 4)))
