"""Small packed models for tests, made without PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

from binvision.runtime import PackedModel, Step

IMAGE = {"name": "image", "channels": 3, "dtype": "uint8", "order": "bgr"}
CONV = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
POOL = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil": True}


def small_model(seed: int = 0, channels: int = 70, **changes: Any) -> PackedModel:
    """A model with most operations of the format; 70 channels need a word and a part of one."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}

    def add(step: str, **arrays: np.ndarray) -> dict[str, str]:
        tensors.update({f"{step}.{role}": array for role, array in arrays.items()})
        return {role: f"{step}.{role}" for role in arrays}

    def vector(count: int = channels) -> np.ndarray:
        return rng.normal(size=count).astype(np.float32)

    def epilogue(slope: bool = True, count: int = channels) -> dict[str, np.ndarray]:
        roles = ("scale", "bias", "slope") if slope else ("scale", "bias")
        return {role: vector(count) for role in roles}

    stem = rng.integers(-127, 128, (4, 4, 3, channels)).astype(np.int8)
    head = rng.normal(size=(1, 1, 2 * channels, 8)).astype(np.float32)
    steps = (
        Step(
            "conv",
            "stem",
            ("image",),
            "stem",
            {**CONV, "stride": (2, 2), "offset": 128.0},
            add("stem", weight=stem, **epilogue()),
        ),
        Step("max_pool", "pool", ("stem",), "pool", dict(POOL)),
        Step(
            "binary_conv",
            "block",
            ("pool", "pool"),
            "block",
            {**CONV, "padding": (1, 1), "in_channels": channels},
            add("block", threshold=vector(), bits=random_bits(rng, channels), **epilogue()),
        ),
        Step("affine", "norm", ("block",), "norm", {}, add("norm", **epilogue(slope=False))),
        Step("prelu", "act", ("norm",), "act", {}, add("act", slope=vector())),
        Step("add", "sum", ("act", "block"), "sum"),
        Step("avg_pool", "mean", ("sum",), "mean", dict(POOL)),
        Step("concat", "twice", ("mean", "mean"), "twice"),
        Step(
            "conv",
            "head",
            ("twice",),
            "features",
            {**CONV, "offset": 0.0},
            add("head", weight=head, **epilogue(slope=False, count=8)),
        ),
    )
    fields = {
        "name": "small",
        "task": "tracking/siamfc",
        "input": dict(IMAGE),
        "steps": steps,
        "outputs": ("features",),
        "settings": {"search_size": 63, "response_scale": 0.1},
        "provenance": {"data": "random", "seed": seed},
        "accuracy": {},
        "tensors": tensors,
    }
    return PackedModel(**{**fields, **changes})


def random_bits(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Random 3x3 kernel bits, as many outputs as inputs; spare bits zero."""
    words = -(-channels // 64)
    bits = rng.integers(0, 2**64, (3, 3, words, channels), dtype=np.uint64)
    spare = channels % 64
    if spare:
        bits[:, :, -1, :] &= np.uint64(2**spare - 1)
    return bits
