"""The rules of CP-NAS against the paper's formulas, written out in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

from binvision.backbones.cells import OPERATIONS
from binvision.classifiers.search.reduction import (
    Edge,
    abandon,
    draw,
    indicators,
    performance,
)

A, B, C = Edge("normal", 0, 0), Edge("normal", 0, 1), Edge("reduction", 0, 0)


@pytest.mark.parametrize(
    ("parent", "child", "beta"), [(0.9, 0.6, 0.5), (0.5, 0.7, 2.0), (0.8, 0.3, 0.0), (0.4, 0.1, 1)]
)
def test_performance(parent: float, child: float, beta: float) -> None:
    expected = beta * parent + (1 - beta) * child
    assert performance(parent, child, beta) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (8, 5)])
def test_indicators(shape: tuple[int, int]) -> None:
    samples = np.random.default_rng(sum(shape)).uniform(-1, 2, shape)
    means = [math.fsum(row) / len(row) for row in samples.tolist()]
    whole = math.fsum(math.exp(mean) for mean in means)
    np.testing.assert_allclose(indicators(samples), [math.exp(mean) / whole for mean in means])


def test_indicators_of_great_performances_are_finite() -> None:
    np.testing.assert_allclose(indicators([[1e4], [1e4 - 1]])[1], 1 / (1 + math.e))


def test_each_operation_of_each_edge_is_drawn_once() -> None:
    names = tuple(OPERATIONS)
    options = {A: names, B: names[::-1], C: names}
    drawn = draw(options, np.random.default_rng(3))
    assert len(drawn) == len(names)
    for edge in options:
        assert sorted(one[edge] for one in drawn) == sorted(names)
    assert len({tuple(one[edge] for one in drawn) for edge in options}) == 3  # not side by side
    assert drawn == draw(options, np.random.default_rng(3))
    assert drawn != draw(options, np.random.default_rng(4))


def test_the_worst_is_abandoned_on_each_edge() -> None:
    options = {A: ("skip", "conv_3x3", "zeroise"), C: ("conv_5x5", "skip", "zeroise")}
    values = {A: np.array([0.4, 0.25, 0.35]), C: np.array([0.3, 0.3, 0.4])}
    assert abandon(options, values) == {A: ("skip", "zeroise"), C: ("skip", "zeroise")}


def test_a_node_keeps_an_edge() -> None:
    options = {A: ("skip", "zeroise"), B: ("zeroise", "conv_3x3"), C: ("zeroise", "skip")}
    values = {A: np.array([0.4, 0.6]), B: np.array([0.55, 0.45]), C: np.array([0.3, 0.7])}
    assert abandon(options, values) == {A: ("zeroise",), B: ("conv_3x3",), C: ("skip",)}
    assert options[B] == ("zeroise", "conv_3x3")


def test_a_node_with_another_edge_may_lose_one() -> None:
    options = {A: ("skip", "zeroise"), B: ("skip", "conv_3x3")}
    values = {A: np.array([0.4, 0.6]), B: np.array([0.55, 0.45])}
    assert abandon(options, values) == {A: ("zeroise",), B: ("skip",)}
