"""Fewer, larger steps: what follows a convolution element by element becomes its epilogue.

A packed convolution ends in ``prelu(scale * sum + bias + residual, slope) + shift``. So a batch
norm goes into scale and bias, then a sum with another value becomes the residual, then a (P)ReLU
the slope, each only if nothing else reads the value in between. A learned shift goes into the
bias before the (P)ReLU and into the shift after it. Constants are combined in float64. A batch
norm that is left before a sign becomes the threshold of the 1-bit convolution.
"""

from __future__ import annotations

from dataclasses import replace

from binvision.export.graph import CONVOLUTIONS, Graph, Node
from binvision.export.signs import fold_into_signs

__all__ = ["fuse"]


def fuse(graph: Graph) -> Graph:
    """Merge affine, add and prelu nodes into the convolutions around them.

    A merged node runs where its last part ran, so that a residual is always defined before it.
    """
    readers = graph.readers()
    nodes: dict[str, Node] = {}  # by output, in running order
    for node in graph.nodes:
        producers = [nodes[name] for name in node.inputs if name in nodes]
        # From the last: of two convolutions that are added, the later can read the earlier.
        order = sorted(producers, key=list(nodes.values()).index, reverse=True)
        for producer in order:
            merged = _merge(producer, node) if readers[producer.output] == 1 else None
            if merged is not None:
                del nodes[producer.output]
                node = merged
                break
        nodes[node.output] = node
    return fold_into_signs(Graph(tuple(nodes.values()), graph.outputs))


def _merge(first: Node, then: Node) -> Node | None:
    """One node for ``then`` after ``first``, or None if the format has none."""
    if then.op == "affine" and (_is_linear(first) or first.op == "affine"):
        return _merge_affine(first, then)
    if then.op == "affine" and (then.constants["scale"] == 1).all():
        return _merge_shift(first, then)
    if then.op == "add" and _is_linear(first):
        residual = next(name for name in then.inputs if name != first.output)
        return replace(first, inputs=(first.inputs[0], residual), output=then.output)
    if then.op == "prelu" and first.op in CONVOLUTIONS and "slope" not in first.constants:
        constants = {**first.constants, **then.constants}
        return replace(first, output=then.output, constants=constants)
    return None


def _is_linear(node: Node) -> bool:
    """Whether a convolution still ends in scale and bias alone."""
    return node.op in CONVOLUTIONS and len(node.inputs) == 1 and "slope" not in node.constants


def _merge_affine(first: Node, then: Node) -> Node:
    scale, bias = then.constants["scale"], then.constants["bias"]
    constants = {
        **first.constants,
        "scale": first.constants["scale"] * scale,
        "bias": first.constants["bias"] * scale + bias,
    }
    return replace(first, output=then.output, constants=constants)


def _merge_shift(first: Node, then: Node) -> Node | None:
    """Add a constant to each channel after a residual or after a (P)ReLU."""
    if "slope" in first.constants:
        role = "shift"
    elif first.op in CONVOLUTIONS:
        role = "bias"
    else:
        return None
    constants = {**first.constants, role: first.constants.get(role, 0.0) + then.constants["bias"]}
    return replace(first, output=then.output, constants=constants)
