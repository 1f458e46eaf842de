"""Model files come from strangers: one damaged file a test, one clear line each."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from binvision.errors import ModelFileError
from binvision.runtime import PackedModel, container, load, save
from tests.support.networks import NetworkBuilder
from tests.support.packed import small_model

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    saved = tmp_path / "small.safetensors"
    save(saved, small_model())
    return saved


def rewrite(path: Path, edit: Edit) -> None:
    """Change the header of a file and put its length right again."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    edit(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def rewrite_document(path: Path, edit: Edit) -> None:
    """Change the JSON document in a file's metadata."""

    def edit_header(header: dict[str, Any]) -> None:
        document = json.loads(header["__metadata__"]["binvision"])
        edit(document)
        header["__metadata__"]["binvision"] = json.dumps(document)

    rewrite(path, edit_header)


def rewrite_tensor(path: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace one tensor of a file, with the library that everybody uses."""
    with safetensors.safe_open(path, framework="np") as file:
        metadata, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}
    tensors[name] = change(tensors[name])
    safetensors.numpy.save_file(tensors, path, metadata)


def fails(path: Path, message: str) -> None:
    with pytest.raises(ModelFileError, match=message) as caught:
        load(path)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(f"model file {path}: ")


# What is written is read


def assert_same(model: PackedModel, other: PackedModel) -> None:
    for name in ("name", "task", "input", "steps", "outputs", "settings", "provenance", "accuracy"):
        assert getattr(model, name) == getattr(other, name)
    assert model.tensors.keys() == other.tensors.keys()
    for name, tensor in model.tensors.items():
        assert tensor.dtype == other.tensors[name].dtype
        np.testing.assert_array_equal(tensor, other.tensors[name])


def test_written_is_read(path: Path) -> None:
    model = load(path)
    assert_same(small_model(), model)
    assert model.file_bytes == path.stat().st_size


def test_tensors_are_read_only_and_aligned(path: Path) -> None:
    for tensor in load(path).tensors.values():
        assert not tensor.flags.writeable and tensor.flags.aligned and tensor.flags.c_contiguous


def test_safetensors_reads_the_same(path: Path) -> None:
    theirs, ours = safetensors.numpy.load_file(path), load(path).tensors
    assert theirs.keys() == ours.keys()
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(tensor, ours[name])


def test_same_model_gives_same_bytes(path: Path, tmp_path: Path) -> None:
    save(tmp_path / "again", load(path))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 140),
    seed=st.integers(0, 2**32 - 1),
    notes=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON, max_size=3),
)
def test_any_model_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, channels: int, seed: int, notes: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("trip") / "model.safetensors"
    model = small_model(seed, channels, provenance=notes, settings=notes)
    save(path, model)
    assert_same(model, load(path))


# The file itself


def test_missing(tmp_path: Path) -> None:
    fails(tmp_path / "none", "no such model file: expected a file, got nothing; check the path")


def test_folder(tmp_path: Path) -> None:
    fails(tmp_path, "expected a file, got a folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable(path: Path) -> None:
    path.chmod(0)
    fails(path, "cannot be read: expected a readable file, got Permission denied")


@pytest.mark.parametrize("size", [0, 1, 7])
def test_shorter_than_its_length_field(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    fails(path, f"cut short: expected at least 8 bytes, got {size} bytes")


def test_cut_in_the_header(path: Path) -> None:
    content = path.read_bytes()
    expected = 8 + struct.unpack("<Q", content[:8])[0]
    path.write_bytes(content[:100])
    fails(path, f"cut short: expected at least {expected} bytes, got 100 bytes; .*fetch it again")


@pytest.mark.parametrize("missing", [1, 2, 1000])
def test_cut_in_the_tensors(path: Path, missing: int) -> None:
    content = path.read_bytes()
    size = len(content)
    path.write_bytes(content[:-missing])
    fails(path, f"cut short: expected {size} bytes, got {size - missing} bytes")


def test_bytes_too_many(path: Path) -> None:
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"!")
    fails(path, f"bytes after the last tensor: expected {size}, got {size + 1} bytes")


@pytest.mark.parametrize("length", [0, 1, container.MAX_HEADER_BYTES + 1, 2**64 - 1])
def test_header_length_out_of_bounds(path: Path, length: int) -> None:
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    fails(path, f"header: length: expected 2 to {container.MAX_HEADER_BYTES} bytes, got {length}")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"{\xff}", "header: not valid JSON"),
        (b"{,}", "header: not valid JSON"),
        (b"[]", "header: not a JSON object: expected an object, got list"),
        (b'{"a":1,"a":2}', "header: repeated JSON key: expected each key once, got 'a'"),
        (b'{"a":NaN}', "header: JSON number out of range: expected finite numbers, got NaN"),
        (b'{"a":' * 20_000 + b"0" + b"}" * 20_000, "header: JSON too deep"),
        (b'{"a":' + b"9" * 10_000 + b"}", "header: not valid JSON"),
        (b'{"__metadata__":{"a":1}}', "header: __metadata__: expected an object of texts"),
        (b"{}", "no metadata 'binvision': expected a model written by `binvision export`"),
        (b'{"a":3}', "tensor 'a': header entry: expected dtype, shape and data_offsets, got 3"),
    ],
)
def test_bad_header(path: Path, header: bytes, message: str) -> None:
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    fails(path, message)


def entry(**changes: Any) -> Edit:
    return lambda header: header["stem.scale"].update(changes)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (entry(dtype="F64"), "'stem.scale': dtype: expected I8 or F32 or U64, got 'F64'"),
        (entry(dtype=["F32"]), r"'stem.scale': dtype: .* got \['F32'\]"),
        (entry(shape=70), "'stem.scale': shape: expected 1 to 4 positive sizes, got 70"),
        (entry(shape=[-70]), r"'stem.scale': shape: .* got \[-70\]"),
        (entry(shape=[True]), r"'stem.scale': shape: .* got \[True\]"),
        (entry(shape=[0]), r"'stem.scale': shape: .* got \[0\]"),
        (entry(shape=[]), r"'stem.scale': shape: .* got \[\]"),
        (entry(shape=[1, 1, 1, 1, 70]), "'stem.scale': shape: expected 1 to 4 positive sizes"),
        (entry(shape=[2**60]), "'stem.scale': shape: expected 1 to 4 positive sizes"),
        (entry(shape=[71]), r"'stem.scale': bytes: expected 284 for shape \[71\], got 280"),
        (entry(data_offsets=[8]), "'stem.scale': data_offsets: expected first and last byte"),
        (entry(data_offsets=[1, 2, 3]), "'stem.scale': data_offsets"),
        (entry(data_offsets="ab"), "'stem.scale': data_offsets"),
        (entry(data_offsets=[0, 280]), "first byte of data: expected"),
        (entry(data_offsets=[2**40, 2**40 + 280]), "first byte of data: expected"),
        (entry(note=1), "'stem.scale': header entry: expected dtype, shape and data_offsets"),
    ],
)
def test_bad_tensor_entry(path: Path, edit: Edit, message: str) -> None:
    rewrite(path, edit)
    fails(path, message)


def test_misaligned_tensors(path: Path) -> None:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    path.write_bytes(
        struct.pack("<Q", length + 1) + content[8 : 8 + length] + b" " + content[8 + length :]
    )
    fails(path, "place: expected a multiple of 8 bytes")


# The document


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(format=2), "format version: expected at most 1, got 2; .*upgrade"),
        (lambda d: d.update(format="1"), "format version: expected 1 to 1, got '1'"),
        (lambda d: d.update(format=True), "format version: expected 1 to 1, got True"),
        (lambda d: d.pop("format"), "format version: expected 1 to 1, got None"),
        (lambda d: d.pop("task"), r"missing field: .* got \['task'\]"),
        (lambda d: d.update(extra=1), r"unknown field: .* got \['extra'\]"),
        (lambda d: d.update(steps={}), "steps: expected a list, got {}"),
        (lambda d: d.update(steps=[]), "model: steps: expected at least one, got none"),
        (lambda d: d.update(steps=[3]), "step 0: entry: expected an object, got 3"),
        (lambda d: d.update(name="a b"), "model: name: expected letters, digits, .* got 'a b'"),
        (lambda d: d.update(task="Tracking"), "model: task: expected a task like"),
        (lambda d: d.update(task="t" * 201), "model: task: expected a task like"),
        (lambda d: d.update(outputs=[]), "model: outputs: expected at least one"),
        (lambda d: d.update(outputs=["features"] * 2), "outputs: expected at least one, each once"),
        (lambda d: d.update(outputs=["image"]), "output: expected the output of a step"),
        (lambda d: d.update(outputs=["x"]), "output: expected the output of a step, got 'x'"),
        (lambda d: d.update(outputs=[1]), "outputs: entry: expected a text, got 1"),
        (lambda d: d["input"].update(channels=4), "input: channels: expected 3, got 4"),
        (lambda d: d["input"].update(dtype="f4"), "input: dtype: expected 'uint8', got 'f4'"),
        (lambda d: d["input"].update(name=7), "input: name: expected letters"),
        (lambda d: d["input"].pop("order"), "input: keys: expected name, channels, dtype, order"),
        (lambda d: d["settings"].update(a="\ud800"), "settings: text: expected valid Unicode"),
        (lambda d: d["settings"].update(a=_nested(40)), "settings: nested too deep"),
    ],
)
def test_bad_document(path: Path, edit: Edit, message: str) -> None:
    rewrite_document(path, edit)
    fails(path, message)


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def test_overflowing_number(path: Path) -> None:
    def edit(header: dict[str, Any]) -> None:
        text = header["__metadata__"]["binvision"].replace('"response_scale":0.1', '"x":1e999')
        header["__metadata__"]["binvision"] = text

    rewrite(path, edit)
    fails(path, "settings: number: expected a finite number, got inf")


STEM, POOL, BLOCK, NORM, SUM, TWICE, HEAD = 0, 1, 2, 3, 5, 7, 8


def step(position: int, **changes: Any) -> Edit:
    return lambda document: document["steps"][position].update(changes)


def attrs(position: int, **changes: Any) -> Edit:
    return lambda document: document["steps"][position]["attrs"].update(changes)


def roles(position: int, **changes: Any) -> Edit:
    return lambda document: document["steps"][position]["tensors"].update(changes)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (step(STEM, op="conv3d"), "step 'stem': unknown operation: .* got 'conv3d'; upgrade"),
        (step(STEM, op=3), "step 0: op: expected a text, got 3"),
        (step(STEM, more=1), r"step 0: unknown field: .* got \['more'\]"),
        (step(STEM, name="stem\n"), "step 'stem.n': name: expected letters"),
        (step(POOL, name="stem"), "'stem' .max_pool.: name: expected a new name"),
        (step(POOL, output="stem"), "'pool' .max_pool.: output: expected a new value"),
        (step(POOL, output="image"), "'pool' .max_pool.: output: expected a new value"),
        (step(POOL, inputs=["sum"]), "'pool' .max_pool.: input: expected a value defined before"),
        (step(POOL, inputs=["image"]), "expected a float32 value, got the uint8 image 'image'"),
        (step(POOL, inputs=[]), "'pool' .max_pool.: number of inputs: expected 1, got 0"),
        (step(STEM, inputs=["image"] * 3), "number of inputs: expected 1 to 2, got 3"),
        (step(STEM, inputs=[["image"]]), "step 0: inputs: entry: expected a text"),
        (step(SUM, inputs=["act", "stem"]), None),
        (step(SUM, inputs=["act", "twice"]), "'sum' .add.: input: expected a value defined before"),
        (step(TWICE, inputs=["mean"]), r"shape of weight: expected \(1, 1, 70, 8\), got"),
        (step(TWICE, output="unread"), "'head' .conv.: input: expected a value defined before"),
        (attrs(STEM, stride=[0, 1]), r"'stem' .conv.: stride: expected two whole .* \(0, 1\)"),
        (attrs(STEM, stride=1), "stride: expected two whole numbers from 1 to 256, got 1"),
        (attrs(STEM, padding=[-1, 0]), "padding: expected two whole numbers from 0 to 256"),
        (attrs(STEM, padding=[0.5, 0]), "padding: expected two whole numbers"),
        (attrs(STEM, dilation=[1, 10**9]), "dilation: expected two whole numbers"),
        (attrs(STEM, groups=0), "groups: expected a whole number from 1 to 65536, got 0"),
        (attrs(STEM, groups=2), "groups: expected a divisor of both channel counts, got 2 for 3"),
        (attrs(STEM, offset=300), "offset: expected a number from 0 to 255, got 300"),
        (attrs(STEM, offset="128"), "offset: expected a number from 0 to 255, got '128'"),
        (attrs(STEM, more=1), "'stem' .conv.: attributes: expected dilation, groups, offset"),
        (attrs(BLOCK, pad_value=1), None),
        (attrs(BLOCK, pad_value=2), "'block' .binary_conv.: pad_value: expected 0, 1 or -1, got 2"),
        (attrs(BLOCK, pad_value=True), "pad_value: expected 0, 1 or -1, got True"),
        (
            attrs(BLOCK, more=1),
            "attributes: expected dilation, .* stride and perhaps bases, pad_value",
        ),
        (attrs(BLOCK, in_channels=64), "'block' .binary_conv.: in_channels: expected 70, got 64"),
        (attrs(POOL, ceil=1), "'pool' .max_pool.: ceil: expected true or false, got 1"),
        (attrs(POOL, padding=[2, 0]), r"padding: expected at most half of the window \(2, 2\)"),
        (roles(STEM, weight="none"), "'stem' .conv.: tensor weight: expected a tensor of this"),
        (roles(STEM, weight=1), "step 0: tensors: entry: expected a text, got 1"),
        (roles(STEM, more="stem.bias"), "tensors: expected weight, scale, bias and perhaps slope"),
        (lambda d: d["steps"][STEM]["tensors"].pop("bias"), "tensors: expected weight, scale, bi"),
        (lambda d: d["steps"][STEM]["tensors"].pop("slope"), "'stem.slope': use: expected a step"),
        (roles(STEM, scale="stem.weight"), "dtype of scale: expected float32, got int8"),
        (roles(NORM, scale="head.scale"), r"shape of scale: expected \(70,\), got \(8,\)"),
        (roles(HEAD, weight="block.bits"), "dtype of weight: expected int8 or float32, got uint64"),
        (roles(BLOCK, bits="head.weight"), "dtype of bits: expected uint64, got float32"),
        (roles(BLOCK, bits="head.bias"), r"shape of bits: expected four sizes, got \(8,\)"),
    ],
)
def test_bad_step(path: Path, edit: Edit, message: str | None) -> None:
    rewrite_document(path, edit)
    if message is None:  # channels agree; sizes are checked when the model is planned
        load(path)
    else:
        fails(path, message)


@pytest.fixture
def pyramid_path(tmp_path: Path) -> Path:
    """A file with up-sampling to a size and by a factor, and bounds."""
    net = NetworkBuilder()
    fine = net.conv("image", 6, 3, offset=128)
    coarse = net.upsample(net.global_avg_pool(fine), "bilinear", like=fine)
    larger = net.upsample(net.add(coarse, fine), "nearest", factor=2)
    save(tmp_path / "pyramid.safetensors", net.model(net.clip(larger, 0, 6)))
    return tmp_path / "pyramid.safetensors"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (attrs(2, mode="cubic"), "'upsample2' .*: mode: expected 'nearest' or 'bilinear', got 'cu"),
        (
            attrs(2, factor=[2, 2]),
            "size: expected a factor, or a second input that has .* got both",
        ),
        (step(2, inputs=["conv0"]), "size: expected a factor, or a second input .* got neither"),
        (attrs(4, factor=[2, 17]), "factor: expected two whole numbers from 1 to 16, got .2, 17."),
        (attrs(4, factor=2), "factor: expected two whole numbers from 1 to 16, got 2"),
        (attrs(5, low=7), "'clip5' .clip.: high: expected at least 7, got 6"),
        (attrs(5, high="6"), "high: expected a finite number, got '6'"),
        (attrs(5, low=-1e39), "low: expected a finite number, got -1e.39"),
        (attrs(5, low=-(10**400)), "low: expected a finite number"),
    ],
)
def test_bad_pyramid(pyramid_path: Path, edit: Edit, message: str) -> None:
    assert load(pyramid_path).steps[2].attrs == {"mode": "bilinear"}
    rewrite_document(pyramid_path, edit)
    fails(pyramid_path, message)


@pytest.fixture
def sum_path(tmp_path: Path) -> Path:
    """A file whose last step adds 2 planes, 3 bases and 9 taps."""
    net = NetworkBuilder()
    x = net.conv("image", 6, 3, offset=128)
    y = net.binary_conv(x, 4, 3, planes=2, bases=3, per_tap=True)
    save(tmp_path / "sum.safetensors", net.model(y))
    return tmp_path / "sum.safetensors"


def test_a_sum_is_read_as_written(sum_path: Path) -> None:
    model = load(sum_path)
    assert model.tensor(model.steps[1], "scale").shape == (2, 3, 9, 4)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (attrs(1, bases=2), "'binary_conv1' .* bases: expected a divisor of 9 rows of bits, got 2"),
        (attrs(1, bases=0), "bases: expected a whole number from 1 to 16, got 0"),
        (attrs(1, bases=1), r"shape of scale: expected \(2, 1, 1, 4\), got \(2, 3, 9, 4\)"),
        (roles(1, threshold="conv0.scale"), r"shape of scale: expected \(1, 3, 9, 4\), got"),
    ],
)
def test_bad_sum(sum_path: Path, edit: Edit, message: str) -> None:
    rewrite_document(sum_path, edit)
    fails(sum_path, message)


@pytest.mark.parametrize(
    ("role", "shape", "message"),
    [
        ("threshold", (2, 5), r"shape of threshold: expected \(2, 6\), got \(2, 5\)"),
        ("threshold", (17, 6), "planes of threshold: expected at most 16, got 17"),
        ("scale", (4,), r"shape of scale: expected \(2, 3, 1, 4\), got \(4,\)"),
        ("scale", (2, 3, 8, 4), r"expected \(2, 3, 1, 4\), got \(2, 3, 8, 4\)"),
    ],
)
def test_bad_sizes_of_a_sum(
    sum_path: Path, role: str, shape: tuple[int, ...], message: str
) -> None:
    rewrite_tensor(sum_path, f"binary_conv1.{role}", lambda _: np.ones(shape, np.float32))
    fails(sum_path, message)


@pytest.fixture
def eight_bit_path(tmp_path: Path) -> Path:
    """A file whose last step rounds its input to 8 bits."""
    net = NetworkBuilder()
    x = net.conv("image", 6, 3, offset=128)
    save(tmp_path / "eight.safetensors", net.model(net.conv(x, 4, 1, levels=True)))
    return tmp_path / "eight.safetensors"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (step(1, inputs=["image"]), "'conv1' .conv.: input: expected a float32 value, got the"),
        (attrs(1, offset=1), "'conv1' .conv.: offset: expected 0 with levels, got 1"),
        (roles(1, levels="conv0.scale"), "tensor levels: expected positive numbers, got zero or"),
        (roles(1, levels="conv1.bias"), r"shape of levels: expected \(6,\), got \(4,\)"),
    ],
)
def test_bad_levels(eight_bit_path: Path, edit: Edit, message: str) -> None:
    rewrite_tensor(eight_bit_path, "conv0.scale", lambda scale: scale * 0)
    rewrite_document(eight_bit_path, edit)
    fails(eight_bit_path, message)


def test_levels_for_float_weights(eight_bit_path: Path) -> None:
    rewrite_tensor(eight_bit_path, "conv1.weight", lambda weight: weight.astype(np.float32))
    fails(eight_bit_path, "'conv1' .conv.: dtype of weight: expected int8, got float32")


def test_dead_step(path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        dead = {"op": "add", "name": "dead", "inputs": ["act", "act"], "output": "dead"}
        document["steps"].append({**dead, "attrs": {}, "tensors": {}})

    rewrite_document(path, edit)
    fails(path, "step 'dead' .add.: output: expected a value that is read, got 'dead', unread")


def test_channels_that_explode(path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        entry = {"op": "concat", "attrs": {}, "tensors": {}}
        first = {**entry, "name": "c1", "inputs": ["stem"] * 64, "output": "c1"}
        document["steps"] += [first, {**entry, "name": "c2", "inputs": ["c1"] * 64, "output": "c2"}]

    rewrite_document(path, edit)
    fails(path, "step 'c2' .concat.: output channels: expected at most 65536, got 286720")


# The tensors' values


def _set(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(tensor: np.ndarray) -> np.ndarray:
        tensor = tensor.copy()
        tensor.flat[3] = value
        return tensor

    return change


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["stem.scale", "block.threshold", "act.slope", "head.weight"])
def test_values_that_are_not_finite(path: Path, name: str, value: float) -> None:
    rewrite_tensor(path, name, _set(value))
    role = name.split(".")[1]
    fails(path, f"tensor {role}: expected finite numbers, got NaN or infinity")


def test_spare_bits(path: Path) -> None:
    rewrite_tensor(path, "block.bits", lambda bits: bits | np.uint64(1 << 63))
    fails(path, "'block' .binary_conv.: bits: expected zero beyond channel 70, got ones")


def test_words_too_few(path: Path) -> None:
    rewrite_tensor(path, "block.bits", lambda bits: np.ascontiguousarray(bits[:, :, :1]))
    fails(path, r"shape of bits: expected \(3, 3, 2, 70\), got \(3, 3, 1, 70\)")


def test_tables_are_read_as_written(tmp_path: Path) -> None:
    tables = {
        "mean": np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32),
        "weight": np.arange(-6, 6, dtype=np.int8).reshape(3, 4),
    }
    saved = save(tmp_path / "tables.safetensors", small_model().with_tables(tables))
    model = load(tmp_path / "tables.safetensors")
    assert model.tables == saved.tables == {"mean": "tables.mean", "weight": "tables.weight"}
    for role, table in model.table_tensors().items():
        np.testing.assert_array_equal(table, tables[role])
    assert not model.table_tensors()["mean"].flags.writeable
    without = model.with_tables({})
    assert not without.tables and without.tensors.keys() == small_model().tensors.keys()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([], "tables: expected an object"),
        ({"mean": 3}, "tables: entry: expected a text"),
        (
            {"mean": "nothing"},
            "table 'mean': tensor: expected a tensor of this file, got 'nothing'",
        ),
        ({"a b": "tables.mean"}, "tables: role: expected letters"),
        (
            {f"t{i}": "tables.mean" for i in range(17)},
            "tables: number: expected at most 16, got 17",
        ),
        ({}, "tensor 'tables.mean': use: expected a step or table that uses it, got none"),
    ],
)
def test_bad_tables(tmp_path: Path, tables: Any, message: str) -> None:
    path = tmp_path / "tables.safetensors"
    save(path, small_model().with_tables({"mean": np.ones((2, 2), np.float32)}))
    rewrite_document(path, lambda document: document.update(tables=tables))
    with pytest.raises(ModelFileError, match=re.escape(message)):
        load(path)


def test_a_table_that_is_not_finite(tmp_path: Path) -> None:
    table = np.array([1, np.nan], np.float32)
    with pytest.raises(ModelFileError, match=r"table 'mean': tensor tables\.mean: .* finite"):
        save(tmp_path / "bad.safetensors", small_model().with_tables({"mean": table}))


def test_unused_tensor(path: Path) -> None:
    with safetensors.safe_open(path, framework="np") as file:
        metadata, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}
    safetensors.numpy.save_file({**tensors, "more": np.ones(1, np.float32)}, path, metadata)
    fails(path, "tensor 'more': use: expected a step or table that uses it, got none")


@pytest.mark.parametrize("seed", range(300))
def test_random_damage_is_an_error_or_harmless(path: Path, seed: int) -> None:
    """Flip, cut, repeat or drop bytes: either it loads, or it says what is wrong."""
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    header_stop = 8 + struct.unpack("<Q", content[:8])[0]
    for _ in range(rng.integers(1, 4)):
        stop = header_stop if rng.random() < 0.8 else len(content)
        at = int(rng.integers(0, stop))
        kind = rng.integers(4)
        if kind == 0:
            content[at] = int(rng.integers(256))
        elif kind == 1:
            content[at] = ord(rng.choice(list('0123456789[]{}",:-.e')))
        elif kind == 2:
            del content[at : at + int(rng.integers(1, 20))]
        else:
            content[at:at] = content[at : at + int(rng.integers(1, 20))]
    path.write_bytes(content)
    try:
        load(path)
    except ModelFileError as error:
        assert "\n" not in str(error)


# Writing


def test_a_model_that_breaks_the_rules_is_not_written(tmp_path: Path) -> None:
    model = small_model(outputs=("nothing",))
    with pytest.raises(ModelFileError, match="not written: model: output: .* got 'nothing'"):
        save(tmp_path / "bad", model)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, np.float32(1)])
def test_settings_that_are_not_json(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ModelFileError, match="not written: metadata: not JSON"):
        save(tmp_path / "bad", small_model(settings={"a": value}))
    assert list(tmp_path.iterdir()) == []


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be written .* No such file or directory"):
        save(tmp_path / "none" / "model", small_model())


def test_disk_full_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelFileError, match="No space left on device; choose a folder"):
        save(path, small_model(seed=1))
    assert path.read_bytes() == old
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_overwriting_a_mapped_file_keeps_the_loaded_values(path: Path) -> None:
    loaded = load(path)
    before = loaded.tensors["stem.scale"].copy()
    save(path, replace(loaded, tensors=small_model(seed=1).tensors))
    np.testing.assert_array_equal(loaded.tensors["stem.scale"], before)
    assert (load(path).tensors["stem.scale"] != before).any()
