"""What a plan may leave out: floats that nobody reads, copies, and passes over memory.

A binary convolution reads signs, not floats. They are packed when a value is made: by the
convolution that makes it, while its output is still in the cache, or right behind it; those of a
concatenation part by part, if the parts fill whole words. Where nobody else reads the floats, they
are never stored; and a binary convolution of which only signs are read, and which adds no
residual, need not compute floats at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from binvision.runtime.model import PackedModel
from binvision.runtime.places import find_places
from binvision.runtime.readers import FOREVER, Readers, Slice
from binvision.runtime.sums import Sums, find_sums
from binvision.runtime.terms import is_sum, planes_of

__all__ = ["Fusion", "Packing", "fuse"]

_WORD = 64


@dataclass(frozen=True)
class Packing:
    """Signs to be packed for the binary convolution ``reader``, its channels from ``first`` on."""

    reader: int
    first: int


@dataclass(frozen=True)
class Fusion:
    """How steps share work; steps are numbered in order.

    Attributes:
        sums: Sums that are done on the way.
        packs: Number of a convolution to the signs that it packs itself.
        packed_after: Value to the signs that are packed out of its memory as soon as it is there.
        packed_late: Output of a convolution to the signs that are packed of its late sum.
        last_float_use: Value to the number of the last step that needs its memory; values that
            are absent are never stored as floats. Outputs of the model last forever.
        places: Value to where in the memory of another it lies.
        without_floats: Numbers of the binary convolutions that go from bits to bits.
    """

    sums: Sums
    packs: dict[int, Packing] = field(default_factory=dict)
    packed_after: dict[str, list[Packing]] = field(default_factory=dict)
    packed_late: dict[str, list[Packing]] = field(default_factory=dict)
    last_float_use: dict[str, int] = field(default_factory=dict)
    places: dict[str, Slice] = field(default_factory=dict)
    without_floats: set[int] = field(default_factory=set)

    def place(self, value: str) -> Slice:
        """Return whose memory holds a value, its own or another's, and from which channel on."""
        return self.places.get(value, Slice(value, 0))


def fuse(model: PackedModel) -> Fusion:
    """Decide what is done together, where values lie, and how long floats must live."""
    readers = Readers(model)
    fusion = Fusion(find_sums(model, readers))
    for number, step in enumerate(model.steps):
        if step.op == "binary_conv":
            _distribute(fusion, model, readers, number)
    _find_lives(fusion, readers)
    fusion.places.update(find_places(readers, fusion.sums, fusion.last_float_use))
    for value, place in fusion.places.items():
        lives = (fusion.last_float_use[value], fusion.last_float_use[place.value])
        fusion.last_float_use[place.value] = max(lives)
    fusion.without_floats.update(
        number
        for number in fusion.packs
        if model.steps[number].op == "binary_conv"
        and len(model.steps[number].inputs) == 1
        and not is_sum(model, model.steps[number])
        and model.steps[number].output not in fusion.last_float_use
    )
    return fusion


def _distribute(fusion: Fusion, model: PackedModel, readers: Readers, number: int) -> None:
    """Note who packs the signs of a binary convolution: whoever makes its input, or parts of it."""
    step = model.steps[number]
    pieces = list(_pieces(fusion.sums, readers, Slice(step.inputs[0], 0)))
    aligned = all(piece.first % _WORD == 0 for piece, _ in pieces)
    if len(pieces) > 1 and (step.attrs["groups"] > 1 or not aligned):
        pieces = [(Slice(step.inputs[0], 0), False)]
    for piece, is_late in pieces:
        packing, maker = Packing(number, piece.first), readers.number_of[piece.value]
        if is_late:
            fusion.packed_late.setdefault(piece.value, []).append(packing)
        elif (
            maker not in fusion.packs
            and readers.op_of(piece.value) in ("conv", "binary_conv")
            and planes_of(model.tensor(step, "threshold")) == 1
        ):
            fusion.packs[maker] = packing
        else:
            fusion.packed_after.setdefault(piece.value, []).append(packing)


def _pieces(sums: Sums, readers: Readers, piece: Slice) -> Iterator[tuple[Slice, bool]]:
    """Yield the values that make up another; with True those to which a sum adds late."""
    if piece.value in sums.late:
        for part in sums.late[piece.value].parts:
            yield Slice(part.value, piece.first + part.first), True
    elif readers.op_of(piece.value) == "concat":
        for part in readers.parts(piece.value):
            yield from _pieces(sums, readers, Slice(part.value, piece.first + part.first))
    else:
        yield piece, False


def _find_lives(fusion: Fusion, readers: Readers) -> None:
    """Work out, from the last step to the first, which floats are stored, and until when."""
    lives = fusion.last_float_use
    for number in reversed(range(len(readers.steps))):
        value = readers.steps[number].output
        uses = [reader for reader in readers.floats[value] if _reads(readers, lives, reader)]
        late = fusion.sums.late.get(value)
        parts = late.parts if late else ()
        if value in fusion.packed_after or any(p.value in fusion.packed_late for p in parts):
            uses.append(number)
        if uses:
            lives[value] = max(uses)


def _reads(readers: Readers, lives: dict[str, int], number: int) -> bool:
    """Tell whether a step needs its inputs: convolutions always, others if their output is."""
    if number == FOREVER:
        return True
    step = readers.steps[number]
    return step.op in ("conv", "binary_conv") or step.output in lives
