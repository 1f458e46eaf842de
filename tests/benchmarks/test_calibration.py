"""Calibration against what is known beforehand, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.calibration import (
    Platt,
    brier,
    calibration_error,
    fit_held_out,
    fit_platt,
    reliability,
)


def drawn(count: int, seed: int, platt: Platt) -> tuple[np.ndarray, np.ndarray]:
    """Confidences whose chances are what ``platt`` makes of them, and what came true."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.001, 0.999, count)
    return confidence, rng.uniform(size=count) < platt(confidence)


def test_bins_and_errors_by_hand() -> None:
    confidence = np.array([0.05, 0.1, 0.19, 0.95, 1.0])
    right = np.array([False, False, True, True, False])
    bins = reliability(confidence, right)
    assert [one.frames for one in bins] == [1, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    assert (bins[1].confidence, bins[1].right) == (pytest.approx(0.145), 0.5)
    assert (bins[2].confidence, bins[2].right) == (None, None)
    expected = (0.05 + 2 * (0.5 - 0.145) + 2 * (0.975 - 0.5)) / 5
    assert calibration_error(confidence, right) == pytest.approx(expected)
    squares = [0.05**2, 0.1**2, 0.81**2, 0.05**2, 1.0]
    assert brier(confidence, right) == pytest.approx(np.mean(squares))


def test_honest_confidences_stay() -> None:
    confidence, right = drawn(20_000, 0, Platt(1.0, 0.0))
    assert calibration_error(confidence, right) < 0.01
    fitted = fit_platt(confidence, right)
    assert fitted.scale == pytest.approx(1, abs=0.05)
    assert fitted.bias == pytest.approx(0, abs=0.05)


def test_numbers_are_found_again() -> None:
    truth = Platt(0.5, -1.2)
    confidence, right = drawn(20_000, 1, truth)
    fitted = fit_platt(confidence, right)
    assert fitted.scale == pytest.approx(truth.scale, abs=0.03)
    assert fitted.bias == pytest.approx(truth.bias, abs=0.05)
    assert (
        calibration_error(fitted(confidence), right) < 0.02 < calibration_error(confidence, right)
    )


def test_the_likelihood_is_greatest_there() -> None:
    minimize = pytest.importorskip("scipy.optimize").minimize
    confidence, right = drawn(300, 2, Platt(2.0, 0.7))
    target = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
    logit = np.log(confidence / (1 - confidence))

    def loss(theta: np.ndarray) -> float:
        z = theta[0] * logit + theta[1]
        return float((np.logaddexp(0, z) - target * z).sum())

    best = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6}).x
    fitted = fit_platt(confidence, right)
    assert (fitted.scale, fitted.bias) == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("answer", [True, False])
def test_extremes_are_survived(answer: bool) -> None:
    confidence = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    right = np.full(5, answer)
    fitted = fit_platt(confidence, right)(confidence)
    assert np.isfinite(fitted).all()
    assert ((fitted > 0.5) == answer).all()


def test_no_group_sees_itself() -> None:
    confidence, right = drawn(600, 3, Platt(0.5, -1.0))
    groups = ["a"] * 200 + ["b"] * 300 + ["c"] * 100
    fitted = fit_held_out(confidence, right, groups)
    changed = right.copy()
    changed[:200] = ~changed[:200]
    assert np.array_equal(fit_held_out(confidence, changed, groups)[:200], fitted[:200])
    assert not np.array_equal(fit_held_out(confidence, changed, groups)[200:], fitted[200:])
    assert np.array_equal(fit_held_out(confidence, right, ["a"] * 600), confidence)
