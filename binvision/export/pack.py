"""From the exporter's graph to the steps and tensors of a packed model."""

from __future__ import annotations

import numpy as np

from binvision.export.graph import Graph, Node
from binvision.runtime import Step

__all__ = ["pack", "pack_signs"]


def pack(graph: Graph) -> tuple[tuple[Step, ...], dict[str, np.ndarray]]:
    """Steps of a graph, its results under their own names, and the tensors they use."""
    names = {value: name for name, value in graph.outputs.items()}
    steps, tensors = [], {}
    for node in graph.nodes:
        arrays = _packed_constants(node)
        steps.append(
            Step(
                op=node.op,
                name=node.name,
                inputs=tuple(names.get(value, value) for value in node.inputs),
                output=names.get(node.output, node.output),
                attrs=node.attrs,
                tensors={role: f"{node.name}.{role}" for role in arrays},
            )
        )
        tensors.update({f"{node.name}.{role}": array for role, array in arrays.items()})
    return tuple(steps), tensors


def pack_signs(signs: np.ndarray) -> np.ndarray:
    """Pack the signs of a 1-bit kernel along its channels, 64 to a word.

    Args:
        signs: int8 (O, C, KH, KW) of +-1.

    Returns:
        uint64 (KH, KW, ceil(C / 64), O): channel c in word c // 64, bit c % 64; 1 means +1.
        Bits beyond the last channel are zero.
    """
    bits = np.transpose(signs > 0, (2, 3, 0, 1))  # KH, KW, O, C
    spare = -bits.shape[3] % 64
    padded = np.pad(bits, ((0, 0), (0, 0), (0, 0), (0, spare)))
    words = np.packbits(padded, axis=3, bitorder="little").view("<u8")
    return np.ascontiguousarray(np.transpose(words, (0, 1, 3, 2)))


def _packed_constants(node: Node) -> dict[str, np.ndarray]:
    arrays = {}
    for role, constant in node.constants.items():
        if role == "signs":
            # Bases, where there are several, are stacked.
            arrays["bits"] = np.concatenate(
                [pack_signs(base) for base in constant.reshape(-1, *constant.shape[-4:])]
            )
        elif role == "weight":
            arrays["weight"] = np.ascontiguousarray(np.transpose(constant, (2, 3, 1, 0)))
        else:
            arrays[role] = np.ascontiguousarray(constant, dtype=np.float32)
    return arrays
