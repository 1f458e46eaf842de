"""Whole packed networks with random weights: the tracker's own, AlexNet-like, and any graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from binvision.runtime import PackedModel, Step

__all__ = ["NetworkBuilder", "alexnet", "residual_network"]

IMAGE = {"name": "image", "channels": 3, "dtype": "uint8", "order": "bgr"}


class NetworkBuilder:
    """Adds steps one after another; each method returns the name of the new value."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.steps: list[Step] = []
        self.tensors: dict[str, np.ndarray] = {}
        self.channels = {"image": 3}
        self.exemplars: dict[str, tuple[int, int, int]] = {}

    def conv(
        self, x: str, outputs: int, size: int, *, dtype: str = "int8", offset: float = 0.0,
        residual: str | None = None, slope: bool = False, levels: bool = False, **geometry: Any,
    ) -> str:  # fmt: skip
        """Real convolution of the image or of floats; with ``levels`` of floats of 8 bits."""
        attrs = _geometry(geometry)
        shape = (size, size, self.channels[x] // attrs["groups"], outputs)
        if dtype == "int8":
            weight = self.rng.integers(-127, 128, shape).astype(np.int8)
        else:
            weight = self.rng.normal(size=shape).astype(np.float32)
        gain = 1 / (np.sqrt(weight[..., 0].size) * (5000 if x == "image" else 70))
        if dtype != "int8" and x != "image":
            gain *= 70
        tensors = {"weight": weight, **self._epilogue(outputs, gain, slope)}
        if levels:
            spread = 2 ** self.rng.uniform(-2, 2, self.channels[x])
            tensors["levels"] = (40 * spread).astype(np.float32)
        return self._step(
            "conv", _inputs(x, residual), outputs, {**attrs, "offset": offset}, tensors
        )

    def binary_conv(
        self, x: str, outputs: int, size: int, *, residual: str | None = None, slope: bool = True,
        threshold: np.ndarray | None = None, pad_value: int | None = None,
        planes: int = 1, bases: int = 1, per_tap: bool = False, **geometry: Any,
    ) -> str:  # fmt: skip
        """1-bit convolution; some scales are negative, some thresholds exactly zero.

        With ``planes``, ``bases`` or ``per_tap`` it is a sum of scaled terms.
        """
        attrs, channels = _geometry(geometry), self.channels[x]
        if pad_value is not None:
            attrs["pad_value"] = pad_value
        inputs = channels // attrs["groups"]
        if threshold is None:
            threshold = self._vector(channels, 0.3) * self.rng.integers(0, 2, channels)
        signs = self.rng.integers(0, 2, (bases * size, size, inputs, outputs)).astype(np.uint8)
        tensors = {
            "threshold": threshold.astype(np.float32),
            "bits": pack_channels(signs),
            **self._epilogue(outputs, 1 / np.sqrt(size * size * inputs), slope),
        }
        if planes > 1 or bases > 1 or per_tap:
            terms = (planes, bases, size * size if per_tap else 1, 1)
            spread = self.rng.uniform(0.5, 1.5, terms).astype(np.float32)
            tensors["scale"] = tensors["scale"] * spread
            tensors["threshold"] = self._vector(planes * channels, 0.3).reshape(planes, -1)
            attrs["bases"] = bases
        attrs["in_channels"] = channels
        return self._step("binary_conv", _inputs(x, residual), outputs, attrs, tensors)

    def pool(self, x: str, op: str, size: int, stride: int, padding: int = 0, *, ceil: bool) -> str:
        """``avg_pool`` or ``max_pool``."""
        attrs = {
            name: (v, v)
            for name, v in zip(
                ("kernel", "stride", "padding"), (size, stride, padding), strict=True
            )
        }
        return self._step(op, (x,), self.channels[x], {**attrs, "ceil": ceil}, {})

    def concat(self, *values: str) -> str:
        """All channels of all values."""
        return self._step("concat", values, sum(self.channels[v] for v in values), {}, {})

    def add(self, left: str, right: str) -> str:
        """Sum of two values."""
        return self._step("add", (left, right), self.channels[left], {}, {})

    def upsample(self, x: str, mode: str, factor: int = 1, like: str | None = None) -> str:
        """Larger by a factor, or of the size of ``like``."""
        attrs: dict[str, Any] = {"mode": mode}
        if like is None:
            attrs["factor"] = (factor, factor)
        return self._step("upsample", _inputs(x, like), self.channels[x], attrs, {})

    def global_avg_pool(self, x: str) -> str:
        """Mean over the picture."""
        return self._step("global_avg_pool", (x,), self.channels[x], {}, {})

    def clip(self, x: str, low: float, high: float) -> str:
        """Bounded values."""
        return self._step("clip", (x,), self.channels[x], {"low": low, "high": high}, {})

    def exemplar(self, name: str, height: int, width: int, channels: int) -> str:
        """A further input."""
        self.exemplars[name], self.channels[name] = (height, width, channels), channels
        return name

    def correlate_channels(self, x: str, exemplar: str, stride: tuple[int, int] = (1, 1)) -> str:
        """Correlation channel by channel."""
        attrs = {"stride": stride}
        return self._step("correlate_channels", (x, exemplar), self.channels[x], attrs, {})

    def correlate_pixels(self, x: str, exemplar: str) -> str:
        """Correlation of each pixel with each."""
        height, width, _ = self.exemplars[exemplar]
        return self._step("correlate_pixels", (x, exemplar), height * width, {}, {})

    def prelu(self, x: str) -> str:
        """PReLU with slopes of both signs, and a shift."""
        count = self.channels[x]
        tensors = {"slope": self._vector(count, 0.5), "shift": self._vector(count, 0.2)}
        return self._step("prelu", (x,), count, {}, tensors)

    def affine(self, x: str) -> str:
        """Scale and shift of each channel."""
        count = self.channels[x]
        tensors = {"scale": self._vector(count, 1.0), "bias": self._vector(count, 0.3)}
        return self._step("affine", (x,), count, {}, tensors)

    def model(self, *outputs: str) -> PackedModel:
        """The network so far."""
        return PackedModel(
            name="random", task="tracking/siamfc", input=dict(IMAGE), steps=tuple(self.steps),
            outputs=outputs, settings={}, provenance={}, accuracy={}, tensors=dict(self.tensors),
            exemplars=dict(self.exemplars),
        )  # fmt: skip

    def _step(
        self, op: str, inputs: tuple[str, ...], channels: int, attrs: dict[str, Any],
        tensors: dict[str, np.ndarray],
    ) -> str:  # fmt: skip
        name = f"{op}{len(self.steps)}"
        self.tensors.update({f"{name}.{role}": array for role, array in tensors.items()})
        roles = {role: f"{name}.{role}" for role in tensors}
        self.steps.append(Step(op, name, inputs, name, attrs, roles))
        self.channels[name] = channels
        return name

    def _epilogue(self, outputs: int, gain: float, slope: bool) -> dict[str, np.ndarray]:
        signs = self.rng.choice([-1.0, 1.0], outputs, p=[0.3, 0.7])
        tensors = {
            "scale": (gain * signs * self.rng.uniform(0.5, 1.5, outputs)).astype(np.float32),
            "bias": self._vector(outputs, 0.2),
        }
        if slope:
            tensors |= {"slope": self._vector(outputs, 0.4), "shift": self._vector(outputs, 0.2)}
        return tensors

    def _vector(self, count: int, spread: float) -> np.ndarray:
        return (spread * self.rng.normal(size=count)).astype(np.float32)


def residual_network(seed: int = 0) -> PackedModel:
    """The tracker's network: 8x8/4 stem, four residual 1-bit blocks, 1x1 head."""
    net = NetworkBuilder(seed)
    x = net.conv("image", 64, 8, stride=4, offset=128)
    half = net.pool(x, "avg_pool", 2, 2, ceil=True)
    x = net.binary_conv(x, 128, 3, stride=2, padding=1, residual=net.concat(half, half))
    for _ in range(3):
        x = net.binary_conv(x, 128, 3, padding=1, residual=x)
    return net.model(net.conv(x, 128, 1, dtype="float32"))


def alexnet(seed: int = 0) -> PackedModel:
    """Siamese AlexNet: pools, groups, no padding, no residuals."""
    net = NetworkBuilder(seed)
    x = net.pool(net.conv("image", 96, 11, stride=2, offset=128), "max_pool", 3, 2, ceil=False)
    x = net.binary_conv(x, 256, 5, groups=2, slope=False)
    x = net.pool(x, "max_pool", 3, 2, ceil=False)
    for channels, groups in ((384, 1), (384, 2), (256, 2)):
        x = net.binary_conv(x, channels, 3, groups=groups, slope=False)
    return net.model(x)


def pack_channels(bits: np.ndarray) -> np.ndarray:
    """Pack bits (KH, KW, C, O) of 0 and 1 into uint64 (KH, KW, words, O), one at a time."""
    rows, columns, channels, outputs = bits.shape
    packed = np.zeros((rows, columns, -(-channels // 64), outputs), np.uint64)
    for channel in range(channels):
        packed[:, :, channel // 64] |= bits[:, :, channel].astype(np.uint64) << np.uint64(
            channel % 64
        )
    return packed


def _inputs(x: str, residual: str | None) -> tuple[str, ...]:
    return (x,) if residual is None else (x, residual)


def _geometry(given: dict[str, Any]) -> dict[str, Any]:
    """Attributes of a convolution; whole numbers stand for equal pairs."""
    attrs = {"stride": 1, "padding": 0, "dilation": 1, **given}
    groups = attrs.pop("groups", 1)
    pairs = {name: (v, v) if isinstance(v, int) else tuple(v) for name, v in attrs.items()}
    return {**pairs, "groups": groups}
