"""Packed model files: read, check, write.

A packed model is a safetensors file whose metadata holds one JSON document under the key
``"binvision"``: format version, task, input, exemplars, steps, outputs, settings, tables,
provenance, accuracy.
Nothing in it is executed, and everything is checked before anything runs, because model files
come from strangers.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from binvision.errors import ModelFileError
from binvision.runtime.container import parse_json, read_container, write_container
from binvision.runtime.faults import fault, show
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.schema import FORMAT_VERSION, check_model

__all__ = ["PackedModel", "Step", "load", "save"]

METADATA_KEY = "binvision"
MAX_DEPTH = 32

_FIELDS: dict[str, type] = {
    "name": str,
    "task": str,
    "input": dict,
    "steps": list,
    "outputs": list,
    "settings": dict,
    "provenance": dict,
    "accuracy": dict,
}
_OPTIONAL_FIELDS: dict[str, type] = {"exemplars": dict, "tables": dict}
_STEP_FIELDS: dict[str, type] = {
    "op": str,
    "name": str,
    "inputs": list,
    "output": str,
    "attrs": dict,
    "tensors": dict,
}
_KINDS: dict[type, str] = {str: "a text", dict: "an object", list: "a list"}


def load(path: str | Path) -> PackedModel:
    """Read and check a packed model.

    Args:
        path: A packed model file.

    Returns:
        The model; its tensors are read-only views of the mapped file.

    Raises:
        ModelFileError: The file is missing, cut short, damaged, from a newer format, or describes
            a network that cannot run. One line: file, step or tensor, expected, got, remedy.
    """
    path = Path(path)
    try:
        container = read_container(path)
        if METADATA_KEY not in container.metadata:
            raise fault(
                "header",
                f"no metadata {METADATA_KEY!r}",
                "a model written by `binvision export`",
                "some other safetensors file",
                "export the checkpoint first",
            )
        document = parse_json(container.metadata[METADATA_KEY], "metadata")
        model = _from_document(document, container.tensors, container.file_bytes)
        check_model(model)
    except ModelFileError as error:
        raise ModelFileError(f"model file {path}: {error}") from error.__cause__
    return model


def save(path: str | Path, model: PackedModel) -> PackedModel:
    """Check a model and write it atomically: after a failure the old file, if any, is untouched.

    The same model always gives the same bytes.

    Args:
        path: Where to write; an existing file is replaced.
        model: The model; its ``file_bytes`` does not matter.

    Returns:
        The model with ``file_bytes`` set to the size of the file.

    Raises:
        ModelFileError: The model does not obey the format, or the file cannot be written.
    """
    path = Path(path)
    try:
        document = parse_json(_to_json(model), "metadata")
        checked = _from_document(document, model.tensors, file_bytes=0)
        check_model(checked)
    except ModelFileError as error:
        raise ModelFileError(f"model file {path}: not written: {error}") from error.__cause__
    size = write_container(path, model.tensors, {METADATA_KEY: _to_json(model)})
    return replace(model, file_bytes=size)


def _to_json(model: PackedModel) -> str:
    document = {
        "format": FORMAT_VERSION,
        "name": model.name,
        "task": model.task,
        "input": model.input,
        "steps": [
            {
                "op": step.op,
                "name": step.name,
                "inputs": step.inputs,
                "output": step.output,
                "attrs": step.attrs,
                "tensors": step.tensors,
            }
            for step in model.steps
        ],
        "outputs": model.outputs,
        "settings": model.settings,
        "provenance": model.provenance,
        "accuracy": model.accuracy,
    }
    if model.exemplars:
        document["exemplars"] = model.exemplars
    if model.tables:
        document["tables"] = model.tables
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise fault(
            "metadata",
            "not JSON",
            "texts, finite numbers, lists, objects",
            show(str(error)),
            "convert the values before saving",
        ) from None


def _from_document(
    document: dict[str, Any], tensors: dict[str, np.ndarray], file_bytes: int
) -> PackedModel:
    _check_version(document)
    present = {key: kind for key, kind in _OPTIONAL_FIELDS.items() if key in document}
    _check_fields("metadata", document, {"format": int, **_FIELDS, **present})
    for key in ("settings", "provenance", "accuracy"):
        _check_values(key, document[key])
    steps = tuple(_step_from(position, entry) for position, entry in enumerate(document["steps"]))
    _check_texts("outputs", document["outputs"])
    _check_texts("tables", list(document.get("tables", {}).values()))
    return PackedModel(
        name=document["name"],
        task=document["task"],
        input=document["input"],
        steps=steps,
        outputs=tuple(document["outputs"]),
        settings=document["settings"],
        provenance=document["provenance"],
        accuracy=document["accuracy"],
        tensors=tensors,
        file_bytes=file_bytes,
        exemplars={
            name: tuple(size) if isinstance(size, list) else size
            for name, size in document.get("exemplars", {}).items()
        },
        tables=document.get("tables", {}),
    )


def _check_version(document: dict[str, Any]) -> None:
    version = document.get("format")
    if type(version) is not int or version < 1:
        raise fault("metadata", "format version", f"1 to {FORMAT_VERSION}", show(version))
    if version > FORMAT_VERSION:
        remedy = "the file is from a newer release: upgrade binvision"
        raise fault("metadata", "format version", f"at most {FORMAT_VERSION}", str(version), remedy)


def _step_from(position: int, entry: Any) -> Step:
    where = f"step {position}"
    if not isinstance(entry, dict):
        raise fault(where, "entry", "an object", show(entry))
    _check_fields(where, entry, _STEP_FIELDS)
    _check_texts(f"{where}: inputs", entry["inputs"])
    _check_texts(f"{where}: tensors", list(entry["tensors"].values()))
    attrs = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in entry["attrs"].items()
    }
    return Step(
        op=entry["op"],
        name=entry["name"],
        inputs=tuple(entry["inputs"]),
        output=entry["output"],
        attrs=attrs,
        tensors=entry["tensors"],
    )


def _check_fields(where: str, entry: dict[str, Any], fields: dict[str, type]) -> None:
    if set(entry) != set(fields):
        missing, unknown = sorted(set(fields) - set(entry)), sorted(set(entry) - set(fields))
        what = "missing" if missing else "unknown"
        raise fault(where, f"{what} field", ", ".join(fields), show(missing or unknown))
    for key, kind in fields.items():
        if not isinstance(entry[key], kind):
            raise fault(where, key, _KINDS[kind], show(entry[key]))


def _check_texts(where: str, values: list[Any]) -> None:
    for value in values:
        if not isinstance(value, str):
            raise fault(where, "entry", "a text", show(value))


def _check_values(where: str, value: Any, depth: int = 0) -> None:
    """Free fields may hold anything that JSON can say and a terminal can print."""
    if depth > MAX_DEPTH:
        raise fault(where, "nested too deep", f"at most {MAX_DEPTH} levels", "more")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_values(where, key, depth + 1)
            _check_values(where, item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_values(where, item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise fault(where, "number", "a finite number", show(value))
    elif isinstance(value, str) and not _is_unicode(value):
        raise fault(where, "text", "valid Unicode", show(value))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
