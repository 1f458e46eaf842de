"""The check that a model obeys the packed format, before anything of it runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from binvision.runtime.faults import fault, show
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.operations import (
    EXEMPLAR_SIZE,
    MAX_CHANNELS,
    OPS,
    Op,
    output_channels,
    place_of,
)

__all__ = ["FORMAT_VERSION", "check_model"]

FORMAT_VERSION = 1
INPUT = {"channels": 3, "dtype": "uint8", "order": "bgr"}
MAX_NAME = 200
MAX_EXEMPLARS = 16
MAX_TABLES = 16

_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.\-]{{0,{MAX_NAME - 1}}}")
_TASK = re.compile(r"[a-z]+(/[a-z0-9_\-]+)*")


def check_model(model: PackedModel) -> None:
    """Prove that a model can be planned and run: names, references, shapes, dtypes, values.

    Raises:
        ModelFileError: Something is wrong; the message names the step and the tensor.
    """
    _check_head(model)
    channels = {model.input["name"]: model.input["channels"]}
    _check_exemplars(model)
    channels |= {name: size[2] for name, size in model.exemplars.items()}
    names: set[str] = set()
    for step in model.steps:
        _check_names(step, names, channels)
        op = OPS[step.op]
        _check_inputs(step, op, channels, model)
        _check_attrs(step, op)
        _check_tensors(step, op, model.tensors)
        names.add(step.name)
        count = output_channels(model, step, channels)
        if count > MAX_CHANNELS:
            raise fault(place_of(step), "output channels", f"at most {MAX_CHANNELS}", str(count))
        channels[step.output] = count
    _check_tables(model)
    _check_outputs(model, channels)


# What surrounds the steps


def _check_head(model: PackedModel) -> None:
    if not _NAME.fullmatch(model.name):
        raise fault("model", "name", "letters, digits, '-', '_', '.'", show(model.name))
    if len(model.task) > MAX_NAME or not _TASK.fullmatch(model.task):
        raise fault("model", "task", "a task like 'tracking/siamfc'", show(model.task))
    if set(model.input) != {"name", *INPUT}:
        raise fault("input", "keys", "name, channels, dtype, order", show(sorted(model.input)))
    for key, value in INPUT.items():
        if model.input[key] != value:
            raise fault("input", key, show(value), show(model.input[key]))
    if not _is_name(model.input["name"]):
        raise fault("input", "name", "letters, digits, '-', '_', '.'", show(model.input["name"]))
    if not model.steps:
        raise fault("model", "steps", "at least one", "none")


def _check_keys(where: str, what: str, keys: Collection[str], most: int) -> None:
    if len(keys) > most:
        raise fault(where, "number", f"at most {most}", str(len(keys)))
    for key in keys:
        if not _is_name(key):
            raise fault(where, what, "letters, digits, '-', '_', '.'", show(key))


def _check_exemplars(model: PackedModel) -> None:
    _check_keys("exemplars", "name", model.exemplars, MAX_EXEMPLARS)
    for name, size in model.exemplars.items():
        where = f"exemplar {show(name)}"
        if name == model.input["name"]:
            raise fault(where, "name", "a new name", "that of the image")
        expected, is_valid = EXEMPLAR_SIZE
        if not is_valid(size):
            raise fault(where, "size", expected, show(size))


def _check_tables(model: PackedModel) -> None:
    _check_keys("tables", "role", model.tables, MAX_TABLES)
    for role, name in model.tables.items():
        where = f"table {show(role)}"
        if name not in model.tensors:
            raise fault(where, "tensor", "a tensor of this file", show(name))
        tensor = model.tensors[name]
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise fault(where, f"tensor {name}", "finite numbers", "NaN or infinity")


def _check_outputs(model: PackedModel, channels: dict[str, int]) -> None:
    given = {model.input["name"], *model.exemplars}
    defined = [value for value in channels if value not in given]
    if not model.outputs or len(set(model.outputs)) != len(model.outputs):
        raise fault("model", "outputs", "at least one, each once", show(list(model.outputs)))
    for output in model.outputs:
        if output not in defined:
            raise fault("model", "output", "the output of a step", show(output))
    read = {value for step in model.steps for value in step.inputs} | set(model.outputs)
    for step in model.steps:
        if step.output not in read:
            raise fault(
                place_of(step), "output", "a value that is read", f"{show(step.output)}, unread"
            )
    for name in model.exemplars:
        if name not in read:
            raise fault(f"exemplar {show(name)}", "use", "a step that reads it", "none")
    used = {name for step in model.steps for name in step.tensors.values()}
    used |= set(model.tables.values())
    for name in model.tensors:
        if name not in used:
            raise fault(f"tensor {show(name)}", "use", "a step or table that uses it", "none")


# A step


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _check_names(step: Step, names: set[str], values: dict[str, int]) -> None:
    where = f"step {show(step.name)}"
    if step.op not in OPS:
        remedy = "upgrade binvision, or export the model again"
        raise fault(where, "unknown operation", " or ".join(OPS), show(step.op), remedy)
    for what, name in (("name", step.name), ("output", step.output)):
        if not _is_name(name):
            raise fault(where, what, "letters, digits, '-', '_', '.'", show(name))
    if step.name in names:
        raise fault(place_of(step), "name", "a new name", "the name of an earlier step")
    if step.output in values:
        raise fault(place_of(step), "output", "a new value", f"{show(step.output)}, defined before")


def _check_inputs(step: Step, op: Op, values: dict[str, int], model: PackedModel) -> None:
    image = model.input["name"]
    least, most = op.inputs
    if not least <= len(step.inputs) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        raise fault(place_of(step), "number of inputs", expected, str(len(step.inputs)))
    for position, value in enumerate(step.inputs):
        if value not in values:
            raise fault(place_of(step), "input", "a value defined before this step", show(value))
        takes_image = op.takes_image and position == 0 and "levels" not in step.tensors
        if value == image and not takes_image:
            raise fault(
                place_of(step), "input", "a float32 value", f"the uint8 image {show(value)}"
            )
        is_exemplar, wants_exemplar = value in model.exemplars, op.takes_exemplar and position == 1
        if is_exemplar != wants_exemplar:
            expected = "an exemplar" if wants_exemplar else "the output of a step"
            got = f"the {'exemplar' if is_exemplar else 'value'} {show(value)}"
            raise fault(place_of(step), "input", expected, got)


def _check_attrs(step: Step, op: Op) -> None:
    known = op.attrs | op.optional_attrs
    if not set(op.attrs) <= set(step.attrs) <= set(known):
        expected = _names(sorted(op.attrs), sorted(op.optional_attrs))
        raise fault(place_of(step), "attributes", expected, show(sorted(step.attrs)))
    for name in step.attrs:
        expected, is_valid = known[name]
        if not is_valid(step.attrs[name]):
            raise fault(place_of(step), name, expected, show(step.attrs[name]))


def _names(required: Sequence[str], optional: Sequence[str]) -> str:
    expected = ", ".join(required) or "none"
    return expected + (f" and perhaps {', '.join(optional)}" if optional else "")


def _check_tensors(step: Step, op: Op, tensors: dict[str, np.ndarray]) -> None:
    roles = set(step.tensors)
    allowed = {*op.required, *op.optional}
    if not roles >= set(op.required) or not roles <= allowed:
        expected = _names(op.required, op.optional)
        raise fault(place_of(step), "tensors", expected, show(sorted(roles)))
    for role, name in step.tensors.items():
        if name not in tensors:
            raise fault(place_of(step), f"tensor {role}", "a tensor of this file", show(name))
        tensor = tensors[name]
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise fault(place_of(step), f"tensor {role}", "finite numbers", "NaN or infinity")
