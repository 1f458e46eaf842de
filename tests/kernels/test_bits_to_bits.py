"""Convolution from bits to bits against the float epilogue, whose bits it must give exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binvision.kernels.sign_intervals import Chain, sign_intervals
from tests.support import reference
from tests.support.convolutions import Layer, layers, run_bits, run_bits_to_bits
from tests.support.networks import pack_channels

checked = settings(max_examples=60, deadline=None, print_blob=True)
SAME = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}


def random_chain(rng: np.random.Generator, channels: int, most: int) -> Chain:
    """Every kind of channel: both signs, zeros, slopes that fall, thresholds met exactly."""

    def any_of(*values: float) -> np.ndarray:
        drawn = rng.normal(size=channels) * rng.choice([1e-3, 1, 1], channels)
        special = rng.choice(values, channels)
        return np.where(rng.random(channels) < 0.3, special, drawn).astype(np.float32)

    scale = any_of(0.0, -0.0, 1.0, -1.0, 1e-42, 3e38)
    bias, slope = any_of(0.0, -0.0, 2.0, -3.0), any_of(0.0, -0.0, 1.0, -1.0, 0.25, -2.0)
    shift = any_of(0.0, 0.0, 0.0, 1.0)
    dots = rng.integers(-most, most + 1, channels)
    with np.errstate(over="ignore", invalid="ignore"):
        met = dots.astype(np.float32) * scale + bias
        met = np.where(met >= 0, met, met * slope) + shift
    kinds = rng.integers(0, 3, channels)
    threshold = np.choose(kinds, [met, np.zeros(channels), rng.normal(size=channels)])
    threshold = np.nan_to_num(threshold, posinf=3e38, neginf=-3e38).astype(np.float32)
    return Chain(scale, bias, slope, shift, threshold)


def case(layer: Layer) -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(layer.seed)
    x = rng.normal(size=(layer.batch, *layer.size, layer.inputs)).astype(np.float32)
    threshold = (0.5 * rng.normal(size=layer.inputs)).astype(np.float32)
    return rng, x, threshold, pack_channels(rng.integers(0, 2, layer.weight_shape))


def truth(
    layer: Layer, x: np.ndarray, threshold: np.ndarray, bits: np.ndarray, chain: Chain, groups: int
) -> np.ndarray:
    weight = reference.unpack(bits, layer.inputs // layer.attrs["groups"])
    sums = reference.sign_sums(x, threshold, weight, layer.attrs)
    with np.errstate(over="ignore", invalid="ignore"):
        floats = reference.epilogue(sums, chain._asdict(), [])
    return reference.pack(floats, chain.threshold, groups)


@checked
@given(
    layer=layers(pad_values=(0, 0, 1, -1)),
    vector=st.booleans(),
    cuts=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    split=st.booleans(),
)
def test_any_layer(layer: Layer, vector: bool, cuts: tuple[int, int], split: bool) -> None:
    rng, x, threshold, bits = case(layer)
    groups = 2 if split and layer.outputs % 2 == 0 else 1
    chain = random_chain(rng, layer.outputs, int(np.prod(layer.weight_shape[:3])))
    ours = run_bits_to_bits(layer, x, threshold, bits, chain, groups, vector=vector, cuts=cuts)
    np.testing.assert_array_equal(ours, truth(layer, x, threshold, bits, chain, groups))


@pytest.mark.parametrize("vector", [True, False])
def test_the_float_kernel_gives_the_same_bits(vector: bool) -> None:
    """Two kernels and one formula: a layer with wide and narrow words, padded, in two pictures."""
    layer = Layer(2, (9, 7), 100, 200, (3, 3), SAME, seed=1)
    rng, x, threshold, bits = case(layer)
    chain = random_chain(rng, 200, 900)
    tensors = {role: getattr(chain, role) for role in ("scale", "bias", "slope", "shift")}
    _, floats = run_bits(
        layer, x, threshold, bits, tensors=tensors, pack=(chain.threshold, 1), vector=vector
    )
    ours = run_bits_to_bits(layer, x, threshold, bits, chain, 1, vector=vector)
    np.testing.assert_array_equal(ours, floats)


@settings(max_examples=200, deadline=None, print_blob=True)
@given(seed=st.integers(0, 2**32 - 1), most=st.sampled_from([1, 2, 9, 576, 20_000]))
def test_every_possible_sum(seed: int, most: int) -> None:
    """The comparison of integers against the formula, for each sum that a channel can have."""
    rng = np.random.default_rng(seed)
    chain = random_chain(rng, 70, most)
    base = rng.integers(most, most + 50, 70).astype(np.int32)
    none = np.zeros(1, np.int64)
    _, low, length, *_ = sign_intervals(chain, (base, -2, none, none), most, 1)
    sums = (np.arange(most)[:, None] + (base - most + 1) // 2).astype(np.uint32)
    dots = base - 2 * sums.astype(np.int64)
    assert np.abs(dots).max() <= most
    with np.errstate(over="ignore", invalid="ignore"):
        y = dots.astype(np.float32) * chain.scale + chain.bias
        y = np.where(y >= 0, y, y * chain.slope) + chain.shift
        expected = y >= chain.threshold
    np.testing.assert_array_equal(sums - low[:70] < length[:70], expected)
    assert not length[70:].any()
