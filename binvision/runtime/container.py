"""Bytes of a packed model: a safetensors file, read with every length checked.

Layout: 8 bytes with the header's length (little-endian), the header (a JSON object that maps
each tensor to its dtype, shape and place, plus ``__metadata__``), then the tensors without gaps.

Why not the safetensors reader: it copies every tensor, it accepts repeated keys in the header,
and its messages do not say how many bytes are missing. Files are written with it, so the two
readers check each other in the tests.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors.numpy

from binvision.errors import ModelFileError
from binvision.runtime.faults import fault, show

__all__ = ["Container", "parse_json", "read_container", "write_container"]

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 16 * 2**20
MAX_RANK = 4

DTYPES: dict[str, np.dtype[Any]] = {
    "I8": np.dtype(np.int8),
    "F32": np.dtype("<f4"),
    "U64": np.dtype("<u8"),
}


@dataclass(frozen=True)
class Container:
    """What a file holds: tensors mapped from it, text metadata, and its size in bytes."""

    tensors: dict[str, np.ndarray]
    metadata: dict[str, str]
    file_bytes: int


def read_container(path: Path) -> Container:
    """Map the tensors of a safetensors file, read-only.

    Raises:
        ModelFileError: The file is missing, unreadable, cut short, too long, or its header is not
            what the format demands. The message does not name the file: the caller does.
    """
    if not path.is_file():
        got = "a folder" if path.is_dir() else "nothing"
        raise fault("path", "no such model file", "a file", got, "check the path")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header_bytes = _read_header(file, size)
            header = parse_json(header_bytes, "header")
            data_start = LENGTH_BYTES + len(header_bytes)
            metadata = _check_metadata(header.pop("__metadata__", {}))
            places = _check_places(header, data_start, size)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        reason = error.strerror or str(error)
        raise fault(
            "file", "cannot be read", "a readable file", reason, "check its rights and the disk"
        ) from error
    tensors = {
        name: np.frombuffer(mapped, dtype, math.prod(shape), start).reshape(shape)
        for name, (dtype, shape, start) in places.items()
    }
    return Container(tensors, metadata, size)


def write_container(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> int:
    """Write a safetensors file so that ``path`` holds the old or the new content, never a part.

    Args:
        path: Where to write; an existing file is replaced.
        tensors: int8, float32 or uint64 arrays.
        metadata: Text to text.

    Returns:
        Size of the file in bytes.

    Raises:
        ModelFileError: The file cannot be written (rights, disk full, no such folder).
    """
    content = safetensors.numpy.save(
        {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, metadata
    )
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with beside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelFileError(
            f"model file {path}: cannot be written ({len(content)} bytes): {reason}; "
            "choose a folder that exists, is writable and has space"
        ) from error
    return len(content)


def parse_json(text: bytes | str, where: str) -> dict[str, Any]:
    """Parse an untrusted JSON object: no repeated keys, no NaN or Infinity.

    Raises:
        ModelFileError: It is not such an object.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise fault(where, "repeated JSON key", "each key once", show(twice))
        return result

    def refuse(constant: str) -> Any:
        raise fault(where, "JSON number out of range", "finite numbers", constant)

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except ModelFileError:
        raise
    except RecursionError:
        raise fault(where, "JSON too deep", "a few levels", "hundreds of levels") from None
    except ValueError as error:  # bad UTF-8, bad JSON, a number of thousands of digits
        raise fault(where, "not valid JSON", "a JSON object", show(str(error))) from None
    if not isinstance(value, dict):
        raise fault(where, "not a JSON object", "an object", type(value).__name__)
    return value


def _read_header(file: BinaryIO, size: int) -> bytes:
    if size < LENGTH_BYTES:
        raise _cut_short(LENGTH_BYTES, size)
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    if not 2 <= length <= MAX_HEADER_BYTES:
        raise fault("header", "length", f"2 to {MAX_HEADER_BYTES} bytes", str(length))
    if LENGTH_BYTES + length > size:
        raise _cut_short(LENGTH_BYTES + length, size)
    return file.read(length)


def _cut_short(expected: int, size: int) -> ModelFileError:
    return fault("file", "cut short", f"at least {expected} bytes", f"{size} bytes")


def _check_metadata(metadata: Any) -> dict[str, str]:
    is_text = isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
    if not is_text:
        raise fault("header", "__metadata__", "an object of texts", show(metadata))
    return metadata


def _check_places(
    header: dict[str, Any], data_start: int, size: int
) -> dict[str, tuple[np.dtype, tuple[int, ...], int]]:
    """Dtype, shape and first byte in the file of every tensor, proven to lie in the file."""
    places = {}
    spans = []
    for name, entry in header.items():
        dtype, shape, start, stop = _check_entry(name, entry)
        spans.append((start, stop, name))
        if (data_start + start) % dtype.itemsize:
            raise fault(
                f"tensor {show(name)}", "place", f"a multiple of {dtype.itemsize} bytes", str(start)
            )
        places[name] = (dtype, shape, data_start + start)
    end = 0
    for start, stop, name in sorted(spans):
        if start != end:
            raise fault(f"tensor {show(name)}", "first byte of data", str(end), str(start))
        end = stop
    if data_start + end > size:
        raise fault("file", "cut short", f"{data_start + end} bytes", f"{size} bytes")
    if data_start + end < size:
        raise fault("file", "bytes after the last tensor", f"{data_start + end}", f"{size} bytes")
    return places


def _check_entry(name: str, entry: Any) -> tuple[np.dtype, tuple[int, ...], int, int]:
    where = f"tensor {show(name)}"
    keys = {"dtype", "shape", "data_offsets"}
    if not isinstance(entry, dict) or set(entry) != keys:
        raise fault(where, "header entry", "dtype, shape and data_offsets", show(entry))
    dtype = DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise fault(where, "dtype", " or ".join(DTYPES), show(entry["dtype"]))
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _is_sizes(shape) or not 1 <= len(shape) <= MAX_RANK or 0 in shape:
        raise fault(where, "shape", f"1 to {MAX_RANK} positive sizes", show(shape))
    if not _is_sizes(offsets) or len(offsets) != 2:
        raise fault(where, "data_offsets", "first and last byte", show(offsets))
    start, stop = offsets
    expected = math.prod(shape) * dtype.itemsize
    if stop - start != expected:
        raise fault(where, "bytes", f"{expected} for shape {show(shape)}", show(stop - start))
    return dtype, tuple(shape), start, stop


def _is_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 2**48 for v in value)
