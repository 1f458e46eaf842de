"""What a plan may leave out: floats that nobody reads, and passes that another step can do.

A binary convolution reads signs, not floats. Where its input comes from a convolution, that
convolution packs the signs while its output is still in the cache; and where nobody else reads
the floats, they are never stored. A binary convolution of which only signs are read, and which
adds no residual, need not compute floats at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from binvision.runtime.model import PackedModel, Step
from binvision.runtime.terms import is_sum, planes_of

__all__ = ["Fusion", "fuse"]

_FOREVER = 10**9


@dataclass(frozen=True)
class Fusion:
    """How steps share work; steps are numbered in order.

    Attributes:
        packs_for: Number of a convolution to the number of the binary convolution whose input
            signs it packs.
        last_float_use: Value to the number of the last step that reads its floats; values that
            are absent are never stored as floats. Outputs of the model last forever.
        without_floats: Numbers of the binary convolutions that go from bits to bits.
    """

    packs_for: dict[int, int]
    last_float_use: dict[str, int]
    without_floats: frozenset[int]

    def packed_by_producer(self, step: int) -> bool:
        """Tell whether the input signs of binary convolution ``step`` come from its producer."""
        return step in self.packs_for.values()


def fuse(model: PackedModel) -> Fusion:
    """Decide which convolution packs for which reader, and how long floats must live."""
    producers = {
        step.output: number
        for number, step in enumerate(model.steps)
        if step.op in ("conv", "binary_conv")
    }
    packs_for: dict[int, int] = {}
    last_use: dict[str, int] = {}
    for number, step in enumerate(model.steps):
        reads = list(step.inputs)
        producer = producers.get(step.inputs[0])
        if producer is not None and producer not in packs_for and _takes_one_plane(model, step):
            packs_for[producer] = number
            reads = reads[1:]
        if step.op == "upsample":
            reads = reads[:1]  # of the second input it needs but the size
        last_use.update(dict.fromkeys(reads, number))
    last_use.update(dict.fromkeys(model.outputs, _FOREVER))
    without_floats = {
        number
        for number in packs_for
        if model.steps[number].op == "binary_conv"
        and len(model.steps[number].inputs) == 1
        and not is_sum(model, model.steps[number])
        and model.steps[number].output not in last_use
    }
    return Fusion(packs_for, last_use, frozenset(without_floats))


def _takes_one_plane(model: PackedModel, step: Step) -> bool:
    return step.op == "binary_conv" and planes_of(model.tensor(step, "threshold")) == 1
