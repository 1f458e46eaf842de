"""Where values lie: in the memory of what they become a part of, or what is stored over them.

Values that are concatenated are made where the concatenation wants them. A sum is stored over one
of its operands, a convolution's output over a residual that nobody reads any more.
"""

from __future__ import annotations

from binvision.runtime.model import Step
from binvision.runtime.readers import FOREVER, Readers, Slice
from binvision.runtime.sums import Sums

__all__ = ["find_places"]

# Operations that can write among the channels of other values, and those that can read there.
_WRITERS = (
    *("conv", "binary_conv", "concat", "add", "max_pool", "avg_pool"),
    *("correlate_channels", "correlate_pixels"),
)
_READERS = ("concat", "add", "max_pool", "avg_pool", "binary_conv", "correlate_channels")


def find_places(readers: Readers, sums: Sums, stored: dict[str, int]) -> dict[str, Slice]:
    """Return value to the value whose memory holds it, and the channel where it begins there.

    Args:
        readers: Who reads what.
        sums: Sums that are done on the way.
        stored: Values whose floats are stored, to the last step that reads them.
    """
    finder = _Finder(readers, sums, stored)
    # From the last step: a value is placed in the whole before its own parts are placed in it.
    for number in reversed(range(len(readers.steps))):
        step = readers.steps[number]
        if step.output in stored:
            finder.place_inputs(number, step)
    return finder.places


class _Finder:
    def __init__(self, readers: Readers, sums: Sums, stored: dict[str, int]) -> None:
        self.places: dict[str, Slice] = {}
        self._readers, self._sums, self._stored = readers, sums, stored
        self._ends: dict[str, int] = {}  # placed value to the first step that overwrites it

    def place_inputs(self, number: int, step: Step) -> None:
        """Place inputs of a step in the memory of its output."""
        if step.output in self._sums.late:
            self._place_late(number, step)
        elif step.op == "add":
            free = [v for v in step.inputs if self._readers.floats[v] == [number]]
            for value in free[:1]:
                self._put(value, Slice(step.output, 0), number)
        elif step.op == "concat":
            for part in self._readers.parts(step.output):
                if step.inputs.count(part.value) == 1:
                    end = self._ends.get(step.output, FOREVER)
                    self._put(part.value, Slice(step.output, part.first), end, [number])
        elif step.op in ("conv", "binary_conv") and len(step.inputs) == 2:
            is_input = self._readers.floats[step.inputs[1]].count(number) > 1
            if not is_input and step.output not in self._sums.residuals:
                self._put(step.inputs[1], Slice(step.output, 0), number)

    def _place_late(self, number: int, step: Step) -> None:
        """Place what convolutions make in the sum, and the sum over its other operand."""
        late = self._sums.late[step.output]
        self._put(late.joined, Slice(step.output, 0), number)
        makers = [self._readers.number_of[part.value] for part in late.parts]
        residuals = [self._sums.residuals[part.value] for part in late.parts]
        value = residuals[0].value
        alike = self._readers.channels[value] == self._readers.channels[step.output]
        if alike and residuals == [Slice(value, part.first) for part in late.parts]:
            self._put(value, Slice(step.output, 0), min(makers), makers)

    def _put(self, value: str, place: Slice, end: int, last: list[int] | None = None) -> None:
        """Place a value where that is possible.

        Args:
            value: The value.
            place: Where it would lie.
            end: The first step that writes over it.
            last: Steps that may read it all the same, since they read a pixel before they write it;
                by default ``end``.
        """
        others = set(self._readers.floats[value]) - set([end] if last is None else last)
        if value in self.places or value not in self._stored or max(others, default=-1) >= end:
            return
        root = self.places.get(place.value, Slice(place.value, 0))
        is_part = self._readers.channels[value] < self._readers.channels[root.value]
        if is_part and not self._can_be_part(value):
            return
        self.places[value] = Slice(root.value, root.first + place.first)
        self._ends[value] = end

    def _can_be_part(self, value: str) -> bool:
        """Tell whether all who write and read a value can do so among the channels of others."""
        steps = [self._readers.steps[n] for n in self._readers.floats[value] if n != FOREVER]
        return self._readers.op_of(value) in _WRITERS and all(
            step.op in _READERS or (step.op == "conv" and step.inputs[0] != value) for step in steps
        )
