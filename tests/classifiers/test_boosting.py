"""Weights of pictures and votes of members against the formulas, in loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from binvision.classifiers.boosting import bootstrap, check_ensemble, reweigh
from binvision.errors import ConfigError


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_boosting(classes: int) -> None:
    rng = np.random.default_rng(classes)
    weights, wrong = rng.uniform(0.1, 3, 50), rng.random(50) < 0.3
    weights /= weights.mean()
    vote, moved = reweigh(torch.from_numpy(weights), torch.from_numpy(wrong), classes)
    error = sum(w for w, miss in zip(weights, wrong, strict=True) if miss) / sum(weights)
    expected = 0.5 * math.log((1 - error) / error) + 0.5 * math.log(classes - 1)
    assert vote == pytest.approx(expected, rel=1e-12)
    factors = [math.exp(expected if miss else -expected) for miss in wrong]
    products = weights * factors
    np.testing.assert_allclose(moved, products * 50 / products.sum(), rtol=1e-12)
    # What AdaBoost's weights are made for: the same member would now be as good as chance.
    assert float(moved[wrong].sum()) / 50 == pytest.approx(1 - 1 / classes, rel=1e-12)


def test_a_member_no_better_than_chance_has_no_vote() -> None:
    weights = torch.ones(8, dtype=torch.float64)
    for count in (6, 8):  # of 4 classes
        vote, moved = reweigh(weights, torch.arange(8) < count, 4)
        assert vote == 0 and torch.equal(moved, weights)
    assert reweigh(weights, torch.arange(8) < 5, 4)[0] > 0


def test_a_member_without_errors_counts_as_if_it_had_half_of_one() -> None:
    vote, moved = reweigh(torch.ones(8, dtype=torch.float64), torch.zeros(8, dtype=torch.bool), 2)
    assert vote == pytest.approx(math.log(15) / 2)
    np.testing.assert_allclose(moved, 1, rtol=1e-12)


def test_bootstrap() -> None:
    drawn = bootstrap(10_000, 3)
    assert drawn.sum() == 10_000 and torch.equal(drawn, bootstrap(10_000, 3))
    assert not torch.equal(drawn, bootstrap(10_000, 4))
    # A picture is left out by (1 - 1/n)^n, one in e.
    assert (drawn == 0).double().mean().item() == pytest.approx(1 / math.e, abs=0.02)


def test_other_ensembles_are_refused() -> None:
    assert check_ensemble("boosting") == "boosting"
    with pytest.raises(ConfigError, match="'stacking': expected one of bagging, boosting"):
        check_ensemble("stacking")
