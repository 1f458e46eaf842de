"""Shen's search of widths: generations of networks, each trained from scratch for a while."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from binvision.classifiers.search.setting import Setting
from binvision.classifiers.search.widths import (
    Individual,
    channels_of,
    cost,
    cross,
    fitness,
    mutate,
    novel,
    select,
)
from binvision.errors import ConfigError

__all__ = ["search_widths"]


def search_widths(setting: Setting) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Search the channels of every layer (Shen et al., ICCV workshops 2019, arXiv 1909.07378).

    The first generation is the original network, if it fits, and others by chance; the next ones
    come in turn from a mutation and a crossover of the ``search.parents`` fittest so far. Each is
    trained for ``search.steps`` steps. None may have more operations than ``search.limit`` times
    the original's; see :mod:`binvision.classifiers.search.widths`.

    Returns:
        The backbone that was found, and the record of the search.

    Raises:
        ConfigError: The backbone's layers cannot have any width, or no network is within the limit.
    """
    if setting.backbone["type"] != "vgg":
        raise ConfigError(
            f"a search of widths needs layers of any width, and a {setting.backbone['type']!r} "
            f"backbone has shortcuts; set model.network.backbone.type=vgg"
        )
    options = setting.options
    space = _Space(
        base=tuple(setting.backbone["channels"]),
        ratios=tuple(options["ratios"]),
        side=setting.pictures.images.shape[-1],
        limit=options["limit"],
    )
    scores: dict[Individual, float] = {}
    generation, seconds = 0, 0.0
    waiting = _propose(space, options, scores, [setting.seed, generation])
    if not waiting:
        raise ConfigError(
            f"no network of ratios {space.ratios} has at most {space.limit} times the operations "
            f"of channels {space.base}; raise search.limit"
        )
    state = setting.resumed()
    if state is not None:
        scores = {tuple(ratios): score for ratios, score in state["scores"]}
        waiting = [tuple(ratios) for ratios in state["waiting"]]
        generation, seconds = state["generation"], state["seconds"]

    began = time.perf_counter() - seconds
    while waiting:
        individual, *waiting = waiting
        channels = channels_of(individual, space.base)
        trainee = setting.trainee(options["steps"], channels=channels)
        trainee.fit(0, options["steps"])
        scores[individual] = fitness(trainee.accuracy(), space.cost(individual), space.limit)
        setting.report(
            f"generation {generation + 1} of {options['generations']}, channels "
            f"{', '.join(map(str, channels))}: {100 * scores[individual]:.1f} %"
        )
        if not waiting and generation + 1 < options["generations"]:
            generation += 1
            waiting = _propose(space, options, scores, [setting.seed, generation])
        setting.keep(
            {
                "scores": [[list(ratios), score] for ratios, score in scores.items()],
                "waiting": [list(ratios) for ratios in waiting],
                "generation": generation,
                "seconds": time.perf_counter() - began,
            }
        )
    (best,) = select(scores, 1)
    record = {
        "ratios": list(best),
        "accuracy": scores[best],
        "cost": space.cost(best),
        "networks": len(scores),
        "seconds": round(time.perf_counter() - began),
    }
    return {**setting.backbone, "channels": list(channels_of(best, space.base))}, record


@dataclass(frozen=True)
class _Space:
    """What individuals are made of.

    Attributes:
        base: Channels of the original network.
        ratios: What a layer may be expanded by.
        side: Side of the pictures, pixels.
        limit: The most operations of an individual, over the original's.
    """

    base: tuple[int, ...]
    ratios: tuple[float, ...]
    side: int
    limit: float

    def cost(self, individual: Individual) -> float:
        """Return its operations over the original's."""
        return cost(channels_of(individual, self.base), self.side) / cost(self.base, self.side)

    def fits(self, individual: Individual) -> bool:
        """Return whether it is within the limit."""
        return self.cost(individual) <= self.limit


def _propose(
    space: _Space, options: Mapping[str, Any], scores: Mapping[Individual, float], seed: list[int]
) -> list[Individual]:
    """The next generation; the first one where none has a score yet."""
    generator = np.random.default_rng(seed)
    original: Individual = (1.0,) * len(space.base)
    parents = select(scores, options["parents"])
    turns = itertools.cycle((True, False))

    def propose() -> Individual:
        if not parents:
            return mutate(original, space.ratios, 1.0, generator)
        one, other = (parents[generator.integers(len(parents))] for _ in range(2))
        if next(turns):
            return mutate(one, space.ratios, options["rate"], generator)
        return cross(one, other, generator)

    first = [original] if not parents and space.fits(original) else []
    wanted = options["population"] - len(first)
    return first + novel(propose, wanted, {*scores, *first}, space.fits)
