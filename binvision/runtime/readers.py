"""Who makes and who reads each value of a model: floats, signs, or nothing but its size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from binvision.runtime.model import PackedModel, Step
from binvision.runtime.operations import output_channels

__all__ = ["FOREVER", "Readers", "Slice"]

FOREVER = 10**9  # the reader of what a model gives


@dataclass(frozen=True)
class Slice:
    """Channels of a value, from ``first`` on, or where a value lies in another."""

    value: str
    first: int


class Readers:
    """Steps are known by their number in the model's order.

    Attributes:
        steps: The steps.
        number_of: Value to the step that makes it; the image and exemplars have none.
        channels: Value to its channels.
        floats: Value to the steps that read its floats.
        signs: Value to the binary convolutions that read its signs.
    """

    def __init__(self, model: PackedModel) -> None:
        self.steps = model.steps
        self.number_of = {step.output: number for number, step in enumerate(self.steps)}
        self.channels = {model.input["name"]: int(model.input["channels"])}
        self.channels |= {name: size[2] for name, size in model.exemplars.items()}
        self.floats: dict[str, list[int]] = {name: [] for name in self.channels}
        self.signs: dict[str, list[int]] = {name: [] for name in self.channels}
        for number, step in enumerate(self.steps):
            self.channels[step.output] = output_channels(model, step, self.channels)
            self.floats[step.output], self.signs[step.output] = [], []
            for place, value in enumerate(step.inputs):
                if step.op == "binary_conv" and place == 0:
                    self.signs[value].append(number)
                elif step.op != "upsample" or place == 0:  # the second input is but a size
                    self.floats[value].append(number)
        for value in model.outputs:
            self.floats[value].append(FOREVER)

    def maker(self, value: str) -> Step | None:
        """Return the step that makes a value; None for an input."""
        return self.steps[self.number_of[value]] if value in self.number_of else None

    def op_of(self, value: str) -> str:
        """Return the operation that makes a value; an input has none."""
        maker = self.maker(value)
        return "" if maker is None else maker.op

    def parts(self, joined: str) -> Iterator[Slice]:
        """Yield the inputs of a concatenation, and where they begin in it."""
        first = 0
        for value in self.steps[self.number_of[joined]].inputs:
            yield Slice(value, first)
            first += self.channels[value]
