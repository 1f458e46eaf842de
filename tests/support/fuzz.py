"""Damaged model files by the thousand: each must be refused in one line, or run.

    python -m tests.support.fuzz --count 10000 --seed 1

prints what became of them by kind of damage. The process may not die, hang, or take memory
without bound: it limits its own memory, and a file that takes more than a minute ends it with a
traceback. The file at fault lies where the last line says, and ``--seed`` makes it again.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import re
import secrets
import shutil
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from binvision.errors import ModelError, ModelFileError
from binvision.runtime import PackedModel, Runner, load, save
from binvision.trackers import Tracker
from tests.support.networks import NetworkBuilder
from tests.support.packed import small_model
from tests.support.patience import patience

__all__ = ["DAMAGES", "damaged", "main", "originals"]

SIDE = 48
MOST_SECONDS = patience(60)
MOST_BYTES = 2 * 2**30  # beyond what the process has when it begins

Rng = np.random.Generator

# Of a tracker as small as the network.
_SETTINGS: dict[str, Any] = {
    "response_scale": 1e-4, "response_bias": 0.0, "exemplar_crop": 2, "stride": 4,
    "exemplar_size": 24, "search_size": 40, "context": 0.5, "scale_step": 1.04, "scale_count": 3,
    "scale_penalty": 0.97, "scale_lr": 0.4, "window_influence": 0.2, "response_up": 8,
    "lost_threshold": 0.2, "found_threshold": 0.5,
}  # fmt: skip


def originals(folder: Path) -> list[bytes]:
    """Files that are in order, with every operation of the format."""
    net = NetworkBuilder()
    fine = net.conv("image", 6, 3, stride=2, offset=128, slope=True)
    both = net.binary_conv(fine, 4, 3, planes=2, bases=3, per_tap=True)
    coarse = net.upsample(net.global_avg_pool(both), "bilinear", like=both)
    larger = net.clip(net.upsample(net.add(coarse, both), "nearest", factor=2), 0, 6)
    pyramid = net.model(net.conv(larger, 5, 1, levels=True))
    models = (
        small_model(),
        pyramid,
        replace(small_model(), settings=dict(_SETTINGS)),
        _correlations(),
    )
    return [_bytes_of(folder / "original", model) for model in models]


def _correlations() -> PackedModel:
    net = NetworkBuilder()
    x = net.conv("image", 20, 3, stride=2, offset=128)
    by_channel = net.correlate_channels(x, net.exemplar("fine", 5, 3, 20), (2, 1))
    by_pixel = net.correlate_pixels(x, net.exemplar("coarse", 2, 3, 20))
    return net.model(net.binary_conv(by_channel, 4, 3), by_pixel)


def _bytes_of(path: Path, model: PackedModel) -> bytes:
    save(path, model)
    return path.read_bytes()


# Damage


def _flip(content: bytes, rng: Rng, stop: int) -> bytes:
    flipped = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        flipped[rng.integers(stop)] ^= 1 << rng.integers(8)
    return bytes(flipped)


def _flip_anywhere(content: bytes, rng: Rng) -> bytes:
    return _flip(content, rng, len(content))


def _flip_in_header(content: bytes, rng: Rng) -> bytes:
    return _flip(content, rng, 8 + struct.unpack("<Q", content[:8])[0])


def _cut(content: bytes, rng: Rng) -> bytes:
    return content[: rng.integers(len(content))]


def _move_bytes(content: bytes, rng: Rng) -> bytes:
    """Repeat, leave out, overwrite or append a run."""
    start, length = rng.integers(len(content)), int(rng.integers(1, 500))
    run = content[start : start + length]
    place = rng.integers(len(content))
    forms = (
        content[:place] + run + content[place:],
        content[:start] + content[start + length :],
        content[:start] + rng.bytes(len(run)) + content[start + length :],
        content + rng.bytes(length),
    )
    return forms[rng.integers(len(forms))]


def _lie_about_length(content: bytes, rng: Rng) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    lies = (0, 1, length - 1, length + 1, length + 8, 16 * 2**20, 2**31, 2**63, 2**64 - 1)
    return struct.pack("<Q", lies[rng.integers(len(lies))]) + content[8:]


def _break_header(content: bytes, rng: Rng) -> bytes:
    return _with_header(content, lambda header: _break_json(header, rng))


def _break_document(content: bytes, rng: Rng) -> bytes:
    def edit(header: dict[str, Any]) -> None:
        document = json.loads(header["__metadata__"]["binvision"])
        for _ in range(rng.integers(1, 4)):
            _break_json(document, rng)
        header["__metadata__"]["binvision"] = json.dumps(document)

    return _with_header(content, edit)


def _rewire(content: bytes, rng: Rng) -> bytes:
    """Change attributes and inputs of steps within what each may be: much of it can be planned."""

    def edit(header: dict[str, Any]) -> None:
        document = json.loads(header["__metadata__"]["binvision"])
        steps = document["steps"]
        for _ in range(rng.integers(1, 4)):
            step = steps[rng.integers(len(steps))]
            if rng.integers(4) == 0:
                step["inputs"][-1] = steps[rng.integers(len(steps))]["output"]
            elif step["attrs"]:
                name = list(step["attrs"])[rng.integers(len(step["attrs"]))]
                step["attrs"][name] = _other(step["attrs"][name], rng)
        header["__metadata__"]["binvision"] = json.dumps(document)

    return _with_header(content, edit)


def _other(value: Any, rng: Rng) -> Any:
    """Another value of the same kind."""
    sizes = (0, 1, 2, 3, 5, 16, 33, 256)
    if isinstance(value, list):
        return [int(size) for size in rng.choice(sizes, len(value))]
    if isinstance(value, bool | str):
        return {True: False, False: True, "nearest": "bilinear"}.get(value, "nearest")
    return type(value)(rng.choice(sizes))


def _change_settings(content: bytes, rng: Rng) -> bytes:
    """Give a tracker other settings, most of them within their bounds."""

    def edit(header: dict[str, Any]) -> None:
        document = json.loads(header["__metadata__"]["binvision"])
        document["settings"] = settings = {**_SETTINGS}
        names = list(settings)
        for _ in range(rng.integers(1, 4)):
            name = names[rng.integers(len(names))]
            value = _SETTINGS[name]
            others = (0, 1, 2, 3, 9, 99, 512, 4097) if type(value) is int else (0.0, 0.5, 1.0, 2.0)
            others += ({float: 1e30, int: 2**40}[type(value)], _HOSTILE[rng.integers(30)])
            settings[name] = others[rng.integers(len(others))]
        header["__metadata__"]["binvision"] = json.dumps(document)

    return _with_header(content, edit)


def _break_numbers(content: bytes, rng: Rng) -> bytes:
    """Put numbers at the edge of float32 into the tensors, with everything around in order."""
    (length,) = struct.unpack("<Q", content[:8])
    start = 8 + length
    stop = start + (len(content) - start) // 4 * 4
    values = np.frombuffer(content[start:stop], "<f4").copy()
    extremes = np.float32([np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e20, 1e-45, -0.0])
    places = rng.integers(len(values), size=rng.integers(1, 200))
    values[places] = rng.choice(extremes[rng.integers(8) :], len(places))
    return content[:start] + values.tobytes() + content[stop:]


def _with_header(content: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    edit(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


_HOSTILE = (
    None, True, False, 0, 1, -1, 2, 3, 7, 16, 64, 70, 255, 256, 257, 65536, 2**31, 2**48, 2**63,
    -(2**63), 10**400, 0.5, -0.0, 1e300, float("nan"), float("inf"), "", "image", "conv", "\x00",
    "\ud800", "x" * 100_000, [], {}, [0], [256, 256], [1, 1], [2**40, 1], [[[[[]]]]] * 50, {"a": 1},
)  # fmt: skip


def _break_json(root: Any, rng: Rng) -> None:
    """Change one place of a JSON value: replace, remove, repeat, or exchange with another."""
    places = list(_places(root))
    holder, key = places[rng.integers(len(places))]
    form = rng.integers(5)
    if form == 0:
        del holder[key]
    elif form == 1 and isinstance(holder, list):
        holder.insert(key, holder[rng.integers(len(holder))])
    elif form == 2:
        other, place = places[rng.integers(len(places))]
        holder[key] = json.loads(json.dumps(other[place]))
    elif form == 3 and type(holder[key]) in (int, float):
        holder[key] *= int(rng.choice([-1, 2, 3, 64, 2**20]))
    else:
        holder[key] = _HOSTILE[rng.integers(len(_HOSTILE))]


def _places(value: Any) -> Any:
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


DAMAGES: dict[str, Callable[[bytes, Rng], bytes]] = {
    "bits flipped": _flip_anywhere,
    "bits of the header flipped": _flip_in_header,
    "cut short": _cut,
    "runs of bytes moved": _move_bytes,
    "length of the header": _lie_about_length,
    "header": _break_header,
    "document": _break_document,
    "attributes and inputs": _rewire,
    "settings": _change_settings,
    "numbers": _break_numbers,
}


def damaged(contents: list[bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Damaged file ``number`` of ``seed``: the kind of damage, and the bytes."""
    rng = np.random.default_rng([seed, number])
    kind = list(DAMAGES)[number % len(DAMAGES)]
    content = contents[rng.integers(len(contents))]
    return kind, DAMAGES[kind](content, rng)


# What becomes of them


def _outcome(path: Path) -> str:
    """Load a file, and run it if it loads.

    Raises:
        AssertionError: An error is not one clear line.
    """
    try:
        model = load(path)
    except ModelFileError as error:
        text = str(error)
        assert text.startswith(f"model file {path}: ") and "\n" not in text, text
        assert len(text) < 1000, text
        return "refused"
    try:
        runner = Runner(model, batch=1, size_hw=(SIDE, SIDE))
    except ModelError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000, str(error)
        return "refused for this size"
    images = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)
    for name, array in runner(images).items():
        assert array.dtype == np.float32 and array.shape[0] == 1, name
    return _track(path, images[0]) if len(model.settings) > 2 else "ran"


def _track(path: Path, frame: np.ndarray) -> str:
    try:
        tracker = Tracker(path)
        tracker.init(frame, (10, 12, 9, 14))
        box = tracker.update(frame).box_xywh
    except ModelError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000, str(error)
        return "refused by the tracker"
    assert np.isfinite(box).all()
    return "tracked"


def _limit_memory() -> None:
    """On Linux: let the address space grow by ``MOST_BYTES`` at most."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    """Try files and print the counts; end with code 1 at the first that is mistreated."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="files, 10000")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="random")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    counts: Counter[tuple[str, str]] = Counter()
    path = Path(tempfile.mkdtemp(prefix="binvision-fuzz-")) / "damaged.safetensors"
    contents = originals(path.parent)
    for content in contents:
        path.write_bytes(content)
        assert _outcome(path) in ("ran", "tracked")
    _limit_memory()
    for number in range(options.count):
        kind, content = damaged(contents, options.seed, number)
        path.write_bytes(content)
        faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
        try:
            counts[kind, _outcome(path)] += 1
        except BaseException:
            print(f"file {number}, {kind}: {path}", file=sys.stderr)
            raise
    faulthandler.cancel_dump_traceback_later()
    shutil.rmtree(path.parent)
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{count:6d} {kind}: {outcome}")
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(f"{options.count} files, peak memory {int(peak[1]) >> 10 if peak else 0} MiB")


if __name__ == "__main__":
    main()
