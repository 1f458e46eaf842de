"""CP-NAS and BNAS: searches of cells by a binary network, with or without its real parent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from binvision.classifiers.search.one_shot import block_of, choose, options_of
from binvision.classifiers.search.reduction import (
    Architecture,
    Options,
    abandon,
    draw,
    indicators,
    performance,
)
from binvision.classifiers.search.setting import Setting

__all__ = ["search_cells"]


def search_cells(setting: Setting) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Search the operations of cells (Zhuo et al., IJCAI 2020, arXiv 2005.00057).

    Child and parent hold all operations of all edges; an architecture trains its own for
    ``search.steps`` steps, in both alike, and the next one that has an operation goes on with its
    weights. Each round draws ``search.samplings`` times as many architectures as an edge has
    operations, and then every edge abandons one; see
    :mod:`binvision.classifiers.search.reduction`. All cells of a kind share their architecture.
    With ``search.beta`` = 0 there is no parent: the performance of BNAS (Chen et al., AAAI 2020,
    arXiv 1911.10862), whose operations see a sample of the channels
    (:class:`~binvision.classifiers.search.one_shot.Choice`). The cells that are found have all.

    Returns:
        The backbone that was found, and the record of the search.

    Raises:
        ConfigError: The backbone has no cells to search.
    """
    steps, samplings = setting.options["steps"], setting.options["samplings"]
    beta = setting.options["beta"]
    child = setting.trainee(1)
    edges = options_of(child.network)
    operations = len(next(iter(edges.values())))
    total = samplings * sum(range(2, operations + 1))
    child = setting.trainee(total * steps)
    trainees = [child]
    if beta:
        trainees.append(setting.trainee(total * steps, method="fp"))
    left, done, samples, seconds = edges, 0, [], 0.0  # samples: accuracies of this round
    state = setting.resumed()
    if state is not None:
        left = {edge: tuple(names) for edge, names in zip(edges, state["left"], strict=True)}
        done, samples, seconds = state["done"], state["samples"], state["seconds"]
        for trainee, kept in zip(trainees, state["trainees"], strict=True):
            trainee.load(kept)

    began = time.perf_counter() - seconds
    while (count := len(next(iter(left.values())))) > 1:
        drawn = _draw(left, samplings, setting.seed)
        for architecture in drawn[len(samples) :]:
            accuracies = []
            for trainee in trainees:
                choose(trainee.network, architecture)
                trainee.fit(done * steps, steps)
                accuracies.append(trainee.accuracy())
            done += 1
            samples.append(accuracies)
            figures = zip(("child", "parent"), accuracies, strict=False)
            setting.report(
                f"{done} of {total} ({count} operations an edge): "
                + ", ".join(f"{name} {100 * accuracy:.1f} %" for name, accuracy in figures)
            )
            if len(samples) == len(drawn):
                left, samples = _reduce(left, drawn, samples, beta), []
            if len(samples) % count == 0:
                setting.keep(
                    {
                        "left": [list(names) for names in left.values()],
                        "done": done,
                        "samples": samples,
                        "seconds": time.perf_counter() - began,
                        "trainees": [trainee.state() for trainee in trainees],
                    }
                )
    found = {edge: names[0] for edge, names in left.items()}
    record = {"architectures": done, "seconds": round(time.perf_counter() - began)}
    return {**setting.backbone, "block": block_of(found)}, record


def _draw(left: Options, samplings: int, seed: int) -> list[Architecture]:
    """All architectures of a round: the same each time, however often the search was cut."""
    generator = np.random.default_rng([seed, len(next(iter(left.values())))])
    return [one for _ in range(samplings) for one in draw(left, generator)]


def _reduce(
    left: Options, drawn: list[Architecture], samples: list[list[float]], beta: float
) -> Options:
    # The parent, where there is one, comes after the child.
    worth = [performance(one[-1], one[0], beta) for one in samples]
    values = {
        edge: indicators(
            [
                [z for one, z in zip(drawn, worth, strict=True) if one[edge] == name]
                for name in names
            ]
        )
        for edge, names in left.items()
    }
    return abandon(left, values)
