"""Evolving the width of every layer.

Shen et al., Searching for Accurate Binary Neural Architectures, ICCV workshops 2019 (arXiv
1909.07378): binary layers want other widths than real ones, and an evolution finds the ratio by
which the channels of each layer are expanded. An individual is a tuple of ratios, one a layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence

import numpy as np

__all__ = ["Individual", "channels_of", "cost", "cross", "fitness", "mutate", "novel", "select"]

Individual = tuple[float, ...]

_TRIES = 100  # for each new individual; where so many are old or cost too much, few are left


def channels_of(individual: Individual, base: Sequence[int]) -> tuple[int, ...]:
    """Return the channels of each layer: those of the original network times its ratio."""
    return tuple(
        max(1, round(ratio * width)) for ratio, width in zip(individual, base, strict=True)
    )


def cost(channels: Sequence[int], side: int) -> float:
    """Return the operations of a :class:`~binvision.backbones.vgg.VggBackbone` on one picture.

    They are multiply-accumulates of 3x3 convolutions; the first is real, and 64 on bits count as
    one, as they fit a word of the machine.

    Args:
        channels: Output channels of each convolution.
        side: Side of the picture, pixels.
    """
    total = 0.0
    for index, (before, after) in enumerate(zip((3, *channels), channels, strict=False)):
        macs = 9 * before * after * math.ceil(side / 2 ** (index // 2)) ** 2
        total += macs / 64 if index else macs
    return total


def fitness(accuracy: float, cost: float, limit: float) -> float:
    """Return the accuracy of an individual that costs no more than the limit, else minus infinity.

    Args:
        accuracy: On pictures that it was not trained on.
        cost: Its operations.
        limit: The most that it may have.
    """
    return accuracy if cost <= limit else -math.inf


def select(scores: Mapping[Individual, float], count: int) -> list[Individual]:
    """Return the ``count`` fittest, best first; of equals the one that was there first."""
    return sorted(scores, key=lambda individual: -scores[individual])[:count]


def mutate(
    parent: Individual, ratios: Sequence[float], rate: float, generator: np.random.Generator
) -> Individual:
    """Draw the ratio of each layer anew with probability ``rate``."""
    return tuple(
        float(ratios[int(generator.integers(len(ratios)))]) if generator.random() < rate else ratio
        for ratio in parent
    )


def cross(one: Individual, other: Individual, generator: np.random.Generator) -> Individual:
    """Take the ratio of each layer from one parent or from the other, by even chance."""
    return tuple(
        (first, second)[generator.integers(2)] for first, second in zip(one, other, strict=True)
    )


def novel(
    propose: Callable[[], Individual],
    count: int,
    known: Container[Individual],
    fits: Callable[[Individual], bool],
) -> list[Individual]:
    """Collect proposals that are new and fit.

    Args:
        propose: Gives an individual, by chance.
        count: How many are wanted; fewer come where the space has no more.
        known: Individuals that are not new.
        fits: Whether an individual may be.
    """
    found: list[Individual] = []
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        proposed = propose()
        if proposed not in known and proposed not in found and fits(proposed):
            found.append(proposed)
    return found
