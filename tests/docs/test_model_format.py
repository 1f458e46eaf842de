"""The format's page and JSON schema against the code that reads and writes the format."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import numpy as np
import pytest

from binvision import runtime
from binvision.runtime.operations import OPS
from binvision.runtime.schema import FORMAT_VERSION
from tests.support.repository import ROOT

REFERENCE = ROOT / "docs" / "reference"
SCHEMA = json.loads((REFERENCE / "model_format.schema.json").read_text(encoding="utf-8"))
PAGE = (REFERENCE / "model_format.md").read_text(encoding="utf-8")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def schema_of(op: str) -> dict[str, Any]:
    (found,) = [entry for entry in SCHEMA["$defs"]["step"]["oneOf"] if entry["title"] == op]
    return found["properties"]


def document_in(path: Any) -> dict[str, Any]:
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return json.loads(header["__metadata__"]["binvision"])


@pytest.fixture
def document(tmp_path: Any) -> dict[str, Any]:
    """What the library itself writes for a network of one binary and one real layer."""
    ones = np.ones(2, np.float32)
    tensors = {
        "w": np.ones((1, 1, 3, 2), np.int8),
        "b": np.ones((3, 3, 1, 2), np.uint64),
        "v": ones,
        "z": np.zeros(2, np.float32),
    }
    window = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    roles = {"scale": "v", "bias": "z"}
    steps = (
        runtime.Step(
            "conv", "stem", ("image",), "a", window | {"offset": 128}, roles | {"weight": "w"}
        ),
        runtime.Step(
            "binary_conv",
            "block",
            ("a",),
            "b",
            window | {"in_channels": 2},
            roles | {"bits": "b", "threshold": "z", "slope": "v"},
        ),
        runtime.Step("add", "sum", ("b", "b"), "c"),
    )
    image = {"name": "image", "channels": 3, "dtype": "uint8", "order": "bgr"}
    model = runtime.PackedModel(
        "tiny", "tracking/siamfc", image, steps, ("c",), {}, {"seed": 0}, {}, tensors
    )
    runtime.save(tmp_path / "tiny.safetensors", model)
    return document_in(tmp_path / "tiny.safetensors")


def test_schema_takes_tables(document: dict[str, Any]) -> None:
    VALIDATOR.validate({**document, "tables": {"mean": "tables.mean"}})
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({**document, "tables": {"mean": 1}})


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["format"] == {"const": FORMAT_VERSION}


def test_schema_knows_every_operation_and_no_other() -> None:
    assert {entry["title"] for entry in SCHEMA["$defs"]["step"]["oneOf"]} == set(OPS)


@pytest.mark.parametrize("name", OPS)
def test_schema_agrees_with_the_reader(name: str) -> None:
    op, properties = OPS[name], schema_of(name)
    inputs, attrs, tensors = (properties[key] for key in ("inputs", "attrs", "tensors"))
    assert (inputs["minItems"], inputs["maxItems"]) == op.inputs
    assert set(attrs["required"]) == set(op.attrs)
    assert set(attrs["properties"]) == {*op.attrs, *op.optional_attrs}
    assert set(tensors["required"]) == set(op.required)
    assert set(tensors["properties"]) == {*op.required, *op.optional}


@pytest.mark.parametrize("name", OPS)
def test_page_has_a_row_with_attributes_and_tensors(name: str) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line]
    named = set(re.findall(r"`([a-z_]+)`", row))
    op = OPS[name]
    assert {*op.attrs, *op.optional_attrs, *op.required, *op.optional} == named - set(OPS)


def test_page_names_the_version() -> None:
    assert PAGE.startswith(f"# The packed model file, format {FORMAT_VERSION}\n")


def test_written_document_obeys_the_schema(document: dict[str, Any]) -> None:
    VALIDATOR.validate(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 2),
        (("input", "order"), "rgb"),
        (("steps", 0, "op"), "dense"),
        (("steps", 0, "attrs", "stride"), [0, 1]),
        (("steps", 1, "attrs", "offset"), 0),
        (("steps", 1, "tensors", "scale"), 3),
        (("steps", 2, "inputs"), ["b"]),
        (("outputs",), []),
    ],
)
def test_schema_refuses_what_the_reader_refuses(
    document: dict[str, Any], path: tuple[str | int, ...], value: Any
) -> None:
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)
