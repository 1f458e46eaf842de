"""Sums that other steps can do on their way: nearest up-sampling, and convolutions.

A sum with an enlarged value enlarges it itself. Where what convolutions made was concatenated and
is then added to another value, each convolution adds its channels of that value, after the signs
of its own output were taken: the late residual of its epilogue.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from binvision.runtime.model import PackedModel, Step
from binvision.runtime.readers import Readers, Slice
from binvision.runtime.terms import planes_of

__all__ = ["LateSum", "Sums", "find_sums"]


@dataclass(frozen=True)
class LateSum:
    """A sum that convolutions do.

    Attributes:
        joined: The operand that they make: a concatenation of their outputs, or one output.
        parts: Their outputs, and where each begins.
    """

    joined: str
    parts: tuple[Slice, ...]


@dataclass
class Sums:
    """Who does which sum.

    Attributes:
        enlarged: Number of an addition to that of the up-sampling that it does itself.
        late: Output of an addition to how convolutions do it.
        residuals: Output of a convolution to the channels that it adds late.
    """

    enlarged: dict[int, int] = field(default_factory=dict)
    late: dict[str, LateSum] = field(default_factory=dict)
    residuals: dict[str, Slice] = field(default_factory=dict)


def find_sums(model: PackedModel, readers: Readers) -> Sums:
    """Find them; ``readers`` is changed to who reads what then."""
    sums = Sums()
    for number, step in enumerate(model.steps):
        if step.op == "add" and step.inputs[0] != step.inputs[1]:
            if not _enlarge(sums, readers, number, step):
                _add_late(sums, model, readers, number, step)
    return sums


def _enlarge(sums: Sums, readers: Readers, number: int, step: Step) -> bool:
    """Let an addition enlarge an operand that nobody else reads."""
    for value in step.inputs:
        maker = readers.maker(value)
        if maker is None or maker.op != "upsample" or maker.attrs["mode"] != "nearest":
            continue
        if readers.floats[value] == [number] and not readers.signs[value]:
            sums.enlarged[number] = before = readers.number_of[value]
            readers.floats[value] = []
            small = readers.floats[maker.inputs[0]]
            small[small.index(before)] = number
            return True
    return False


def _add_late(sums: Sums, model: PackedModel, readers: Readers, number: int, step: Step) -> None:
    """Let the convolutions whose outputs an addition reads add the other operand."""
    for joined, other in (step.inputs, step.inputs[::-1]):
        parts = _convolutions(model, readers, joined, number)
        if not parts:
            continue
        first = min(readers.number_of[part.value] for part in parts)
        residuals = [_find(readers, other, part, first) for part in parts]
        if None in residuals:
            continue
        sums.late[step.output] = LateSum(joined, parts)
        _forget(readers, other, number)
        for part, residual in zip(parts, residuals, strict=True):
            if residual is not None:
                sums.residuals[part.value] = residual
                readers.floats[residual.value].append(readers.number_of[part.value])
        return


def _convolutions(
    model: PackedModel, readers: Readers, joined: str, reader: int
) -> tuple[Slice, ...]:
    """Return the convolutions' outputs that make up a value which ``reader`` alone reads."""
    if readers.floats[joined] != [reader]:
        return ()
    parts: tuple[Slice, ...] = (Slice(joined, 0),)
    if readers.op_of(joined) == "concat":
        if readers.signs[joined]:
            return ()
        parts, reader = tuple(readers.parts(joined)), readers.number_of[joined]

    def is_free(value: str) -> bool:
        """Tell whether its floats are read for the sum alone, its signs for one reader."""
        signs = readers.signs[value]
        planes = [planes_of(model.tensor(model.steps[n], "threshold")) for n in signs]
        return readers.floats[value] == [reader] and planes in ([], [1])

    fine = all(
        readers.op_of(part.value) in ("conv", "binary_conv") and is_free(part.value)
        for part in parts
    )
    return parts if fine else ()


def _find(readers: Readers, value: str, part: Slice, before: int) -> Slice | None:
    """Return where the channels of ``part`` lie in ``value``, if step ``before`` can read it."""
    first, stop = part.first, part.first + readers.channels[part.value]
    while readers.op_of(value) == "concat":
        inside = [
            piece
            for piece in readers.parts(value)
            if piece.first <= first and stop <= piece.first + readers.channels[piece.value]
        ]
        if not inside:
            break
        value, first, stop = (
            inside[0].value,
            first - inside[0].first,
            stop - inside[0].first,
        )
    return Slice(value, first) if readers.number_of[value] < before else None


def _forget(readers: Readers, value: str, reader: int) -> None:
    """Take a reader from a value; a concatenation that has none left reads nothing itself."""
    readers.floats[value].remove(reader)
    unread = not readers.floats[value] and not readers.signs[value]
    if unread and readers.op_of(value) == "concat":
        for piece in readers.parts(value):
            _forget(readers, piece.value, readers.number_of[value])
