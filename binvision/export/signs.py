"""A batch norm before a sign, as a threshold: the 1-bit convolution reads what the norm read.

The bit that the convolution takes of ``y = scale * x + bias`` is ``y >= threshold``. Rounding is
monotone, so as x rises that changes at most once, from the bit of the least number to the other
one, and the first x where it has changed is found by bisection, with the very float32 operations
of the runtime. Where the bit falls there (a negative scale), the convolution takes the opposite
bit and the weights of the channel change their sign, which leaves every product as it was; so does
a bit that is 0 for all x.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from binvision.export.graph import Graph, Node

__all__ = ["fold_into_signs"]

_LEAST = np.finfo(np.float32).min


def fold_into_signs(graph: Graph) -> Graph:
    """Let 1-bit convolutions read what affine nodes before them read.

    An affine node that nobody else reads goes. A convolution whose padding has a sign keeps its
    norm where weights would change theirs: that of the padding cannot change with them.
    """
    affines = {node.output: node for node in graph.nodes if node.op == "affine"}
    nodes = []
    for node in graph.nodes:
        if node.op == "binary_conv" and node.inputs[0] in affines:
            node = _fold(affines[node.inputs[0]], node)
        nodes.append(node)
    folded = Graph(tuple(nodes), graph.outputs)
    readers = folded.readers()
    kept = tuple(n for n in nodes if n.op != "affine" or n.output in readers)
    return replace(folded, nodes=kept)


def _fold(affine: Node, conv: Node) -> Node:
    scale, bias = (affine.constants[role].astype(np.float32) for role in ("scale", "bias"))
    threshold, opposite = _thresholds(scale, bias, conv.constants["threshold"])
    if opposite.any() and (opposite.ndim > 1 or conv.attrs.get("pad_value", 0)):
        return conv
    constants = {**conv.constants, "threshold": threshold}
    if opposite.any():
        constants["signs"] = _turned(conv.constants["signs"], opposite, conv.attrs["groups"])
    inputs = (affine.inputs[0], *conv.inputs[1:])
    return replace(conv, inputs=inputs, constants=constants)


def _thresholds(
    scale: np.ndarray, bias: np.ndarray, threshold: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the x from which each bit is 1, and which bits are the opposite of those asked for.

    Both have the shape of ``threshold``.
    """

    def bit(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            return x * scale + bias >= threshold

    least = bit(np.full_like(threshold, _LEAST))
    # Floats in order are whole numbers in order: -0 is 0, and negative ones count downwards.
    low = np.full(threshold.shape, _rank(_LEAST), np.int64)
    high = np.full(threshold.shape, _rank(-_LEAST) + 1, np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        changed = (bit(_float_of(middle)) != least) | (low == high)
        low, high = np.where(changed, low, middle + 1), np.where(changed, middle, high)
    never = low > _rank(-_LEAST)
    return np.where(never, _LEAST, _float_of(low)), least != never


def _rank(x: np.float32) -> int:
    """Return the place of a float32 among all, counted from 0."""
    magnitude = int(np.abs(x).view(np.int32))
    return -magnitude if x < 0 else magnitude


def _float_of(rank: np.ndarray) -> np.ndarray:
    magnitude = np.abs(rank).astype(np.int32).view(np.float32)
    return np.where(rank < 0, -magnitude, magnitude)


def _turned(signs: np.ndarray, opposite: np.ndarray, groups: int) -> np.ndarray:
    """Change the signs of the weights (..., O, C/groups, KH, KW) of some input channels."""
    outputs, share = signs.shape[-4:-2]
    group = np.repeat(np.arange(groups), outputs // groups)
    turned = opposite.reshape(groups, share)[group][:, :, None, None]
    return np.where(turned, -signs, signs).astype(signs.dtype)
