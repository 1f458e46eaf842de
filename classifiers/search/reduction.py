"""Reducing the operations of every edge by how well networks do that have them.

The rules of CP-NAS, which BNAS shares but for the parent:

- Zhuo et al., CP-NAS: Child-Parent Neural Architecture Search for Binary Neural Networks, IJCAI
  2020 (arXiv 2005.00057).
- Chen et al., Binarized Neural Architecture Search, AAAI 2020 (arXiv 1911.10862).

An edge begins with K operations. K architectures are drawn so that each operation of each edge is
in exactly one of them; every operation gets the performance of its architecture. After T such
rounds each edge abandons the operation whose indicator is least, until one is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from binvision.backbones.cells import ZEROISE

__all__ = ["Architecture", "Edge", "Options", "abandon", "draw", "indicators", "performance"]


class Edge(NamedTuple):
    """What is between a state and a node that reads it, in all cells of one kind.

    Attributes:
        kind: ``"normal"`` or ``"reduction"``.
        node: Number of the node.
        state: Number of the state; see :class:`binvision.backbones.cells.Cell`.
    """

    kind: str
    node: int
    state: int


Options = Mapping[Edge, Sequence[str]]  # operations that each edge may still have
Architecture = Mapping[Edge, str]


def performance(parent: float, child: float, beta: float) -> float:
    """Return what an architecture is worth.

    ::

        z = beta (A_P - A_C) + A_C

    A_P is the accuracy of the real network (the parent) and A_C that of the binary one (the
    child), on pictures that neither is trained on. ``beta`` = 0 leaves the child alone, 1 the
    parent.
    """
    return beta * (parent - child) + child


def indicators(samples: ArrayLike) -> NDArray[np.float64]:
    """Return the indicator of each operation of an edge.

    ::

        e(o_k) = exp(m_k) / sum over j of exp(m_j),  m_k = 1/T sum over t of z_{k,t}

    Args:
        samples: (K, T) performances of K operations.

    Returns:
        (K,) whose sum is 1.
    """
    means = np.asarray(samples, np.float64).mean(1)
    powers = np.exp(means - means.max())
    return np.asarray(powers / powers.sum())


def draw(options: Options, generator: np.random.Generator) -> list[Architecture]:
    """Draw architectures without replacement.

    Args:
        options: K operations of every edge.
        generator: Source of chance.

    Returns:
        K architectures; each operation of each edge is in one of them.
    """
    orders = {edge: generator.permutation(len(names)) for edge, names in options.items()}
    count = len(next(iter(options.values())))
    return [
        {edge: names[orders[edge][index]] for edge, names in options.items()}
        for index in range(count)
    ]


def abandon(options: Options, values: Mapping[Edge, NDArray[np.float64]]) -> Options:
    """Take from each edge the operation of the least indicator.

    A node needs one edge that is there. Where nothing but zeroise would be left on all of its
    edges, the one that would lose the operation of the greatest indicator keeps it instead.

    Args:
        options: Operations of each edge, two at least.
        values: Indicators of each edge, in their order.
    """
    worst = {edge: int(np.argmin(values[edge])) for edge in options}
    kept = {
        edge: tuple(name for place, name in enumerate(names) if place != worst[edge])
        for edge, names in options.items()
    }
    for kind, node in {(edge.kind, edge.node) for edge in options}:
        edges = [edge for edge in options if (edge.kind, edge.node) == (kind, node)]
        if all(kept[edge] == (ZEROISE,) for edge in edges):
            best = max(edges, key=lambda edge: values[edge][worst[edge]])
            kept[best] = (options[best][worst[best]],)
    return kept
