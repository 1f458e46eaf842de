"""Scores against the got10k toolkit's own functions and against the definitions, spelled out."""

from __future__ import annotations

import builtins
import math
from types import SimpleNamespace

import numpy as np
import pytest

from binvision.errors import DataError, MissingExtraError
from binvision.trackers.evaluation import metrics

pytest.importorskip("got10k")
from got10k.experiments import ExperimentGOT10k, ExperimentOTB
from got10k.utils.metrics import center_error, rect_iou

EXACT = {"abs": 1e-9, "rel": 0}


def random_pair(seed: int, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A plausible track: jitter around a moving target that is lost at times."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate(
        [rng.uniform(-20, 300, (count, 2)), rng.uniform(0.5, 150, (count, 2))], axis=1
    )
    tracked = truth + rng.normal(0, rng.choice([0.1, 5, 60]), truth.shape)
    tracked[rng.random(count) < 0.1] += 1000
    return tracked, truth


def degenerate_pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    truth = np.array([[10.0, 20, 30, 40]] * 6)
    exact = truth.copy()
    touching = truth + [30.0, 0, 0, 0]
    empty = truth * [1.0, 1, 0, 1]
    negative = truth * [1.0, 1, -1, -1]
    inside = np.array([[15.0, 25, 1e-6, 1e-6]] * 6)
    huge = np.array([[-1e7, -1e7, 2e7, 2e7]] * 6)
    far = truth + 1e9
    return [(t, truth) for t in (exact, touching, empty, negative, inside, huge, far)] + [
        (exact[:2], truth[:2]),
        (np.array([[0.0, 0, 1e-3, 1e-3]] * 3), np.array([[0.0, 0, 1e-3, 1e-3]] * 3)),
    ]


PAIRS = [*map(random_pair, range(20)), *degenerate_pairs()]


def overlap_by_definition(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = width * height if width > 0 and height > 0 else 0.0
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def share(values: list[bool]) -> float:
    return sum(values) / len(values)


def scores_by_definition(tracked: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Every score from its paper, frame by frame, with no array arithmetic."""
    frames = list(zip(tracked, truth, strict=True))
    overlap = [1.0, *(overlap_by_definition(a, b) for a, b in frames[1:])]
    error, normalised = [0.0], [0.0]
    for a, b in frames[1:]:
        dx, dy = a[0] + a[2] / 2 - b[0] - b[2] / 2, a[1] + a[3] / 2 - b[1] - b[3] / 2
        error.append(math.hypot(dx, dy))
        normalised.append(math.hypot(dx / b[2], dy / b[3]))
    success = [share([o > k / 20 for o in overlap]) for k in range(21)]
    precise = [share([e <= k / 100 for e in normalised]) for k in range(51)]
    return {
        "ao": sum(overlap[1:]) / (len(overlap) - 1),
        "sr50": share([o > 0.5 for o in overlap[1:]]),
        "sr75": share([o > 0.75 for o in overlap[1:]]),
        "success_auc": sum(success) / 21,
        "precision": share([e <= 20 for e in error]),
        "normalised_precision": sum(precise) / 51,
    }


@pytest.mark.parametrize("pair", PAIRS)
def test_scores_follow_the_definitions(pair):
    scores = metrics.score_track(*pair)
    for name, expected in scores_by_definition(*pair).items():
        assert getattr(scores, name) == pytest.approx(expected, **EXACT), name


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
    scores = metrics.score_track(*pair)
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
    scores = metrics.score_track(tracked, truth)
    assert scores.ao == pytest.approx(0.5)
    assert scores.precision == pytest.approx(0.6)
    assert scores.normalised_precision == pytest.approx(0.6)


def test_a_perfect_track_and_the_first_frame():
    truth = np.array([[10.0, 20, 30, 40]] * 4)
    perfect = metrics.score_track(truth, truth)
    assert (perfect.ao, perfect.sr75, perfect.precision) == pytest.approx((1, 1, 1))
    assert perfect.success_auc == pytest.approx(20 / 21)  # nothing exceeds the last threshold, 1
    lost = metrics.score_track(truth + 500, truth)
    # GOT-10k leaves the given frame out, OTB counts it as a hit.
    assert (lost.ao, lost.frames) == (0, 3)
    assert lost.precision == pytest.approx(1 / 4)
    assert lost.success_auc == pytest.approx(20 / 21 / 4)


def test_arguments_are_left_alone():
    for tracked, truth in PAIRS:
        before = tracked.copy(), truth.copy()
        metrics.score_track(tracked, truth)
        np.testing.assert_array_equal(tracked, before[0])
        np.testing.assert_array_equal(truth, before[1])


def test_bootstrap_interval():
    assert metrics.bootstrap_interval([0.4, 0.4, 0.4]) == pytest.approx((0.4, 0.4))
    values = np.random.default_rng(0).random(200)
    low, high = metrics.bootstrap_interval(values)
    margin = 1.96 * values.std() / math.sqrt(200)  # the normal approximation
    assert low == pytest.approx(values.mean() - margin, abs=0.004)
    assert high == pytest.approx(values.mean() + margin, abs=0.004)
    assert metrics.bootstrap_interval(values) == (low, high)


def test_shapes_that_do_not_fit():
    with pytest.raises(DataError, match=r"must both be \[N, 4\], found \[3, 4\] and \[2, 4\]"):
        metrics.overlaps(np.zeros((3, 4)), np.zeros((2, 4)))
    with pytest.raises(DataError, match="cannot score a track of 1 frames; expected at least 2"):
        metrics.score_track(np.ones((1, 4)), np.ones((1, 4)))


def test_missing_toolkit_names_the_extra(monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("got10k"):
            raise ImportError("No module named 'got10k'", name="got10k")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r'pip install "binvision\[eval\]"'):
        metrics.overlaps(np.ones((2, 4)), np.ones((2, 4)))
