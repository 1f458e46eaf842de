"""Convolutions of any shape against the slow reference, on both kernel paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binvision.kernels.layout import PIXEL
from tests.support import reference
from tests.support.convolutions import Layer, layers, run_bits, run_floats, run_pixels
from tests.support.networks import pack_channels

checked = settings(max_examples=60, deadline=None, derandomize=False, print_blob=True)
PLAIN = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
SAME = {**PLAIN, "padding": (1, 1)}
# Numbers of 16 bits run on every CPU, bytes where it has an instruction for them.
PIXELS = sorted({np.dtype(np.int16), PIXEL}, key=str)


def vectors(rng: np.random.Generator, layer: Layer) -> dict[str, np.ndarray]:
    """Scales of both signs and some slopes that are negative or above one."""
    count = layer.outputs
    roles = ("scale", "bias", "slope", "shift")
    return {role: rng.normal(size=count).astype(np.float32) for role in roles}


def bit_case(layer: Layer) -> tuple[Any, ...]:
    """Inputs on a grid that hits the thresholds exactly, -0.0 included."""
    rng = np.random.default_rng(layer.seed)
    x = rng.integers(-3, 4, (layer.batch, *layer.size, layer.inputs)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = -0.0
    threshold = rng.integers(-1, 2, layer.inputs).astype(np.float32)
    bits = pack_channels(rng.integers(0, 2, layer.weight_shape))
    residual = rng.normal(size=(layer.batch, *layer.out_hw, layer.outputs)).astype(np.float32)
    return rng, x, threshold, bits, residual


def bit_truth(layer: Layer, x: np.ndarray, threshold: np.ndarray, bits: np.ndarray) -> np.ndarray:
    weight = reference.unpack(bits, layer.inputs // layer.attrs["groups"])
    return reference.sign_sums(x, threshold, weight, layer.attrs)


@checked
@given(
    layer=layers(pad_values=(0, 0, 1, -1)),
    vector=st.booleans(),
    cuts=st.tuples(st.integers(0, 99), st.integers(0, 99)),
)
def test_bits(layer: Layer, vector: bool, cuts: tuple[int, int]) -> None:
    rng, x, threshold, bits, residual = bit_case(layer)
    tensors = vectors(rng, layer)
    ours, packed = run_bits(
        layer, x, threshold, bits, tensors=tensors, residual=residual, vector=vector, cuts=cuts,
        pack=(tensors["bias"], layer.attrs["groups"]),
    )  # fmt: skip
    truth = reference.epilogue(bit_truth(layer, x, threshold, bits), tensors, [residual])
    np.testing.assert_array_equal(ours, truth)
    np.testing.assert_array_equal(
        packed, reference.pack(truth, tensors["bias"], layer.attrs["groups"])
    )


@checked
@given(
    layer=layers(pad_values=(0, 0, 1, -1)), vector=st.booleans(), spare=st.integers(0, 3),
    in_place=st.booleans(), cut=st.integers(0, 99),
)  # fmt: skip
def test_a_late_residual(layer: Layer, vector: bool, spare: int, in_place: bool, cut: int) -> None:
    """The signs are those without it, and channels between the layer's stay as they are."""
    rng, x, threshold, bits, residual = bit_case(layer)
    tensors = vectors(rng, layer)
    late = rng.normal(size=(*residual.shape[:3], layer.outputs + spare)).astype(np.float32)
    ours, packed = run_bits(
        layer, x, threshold, bits, tensors=tensors, residual=residual, vector=vector, cuts=(cut,),
        pack=(tensors["bias"], 1), late=late, spare=spare, in_place=in_place,
    )  # fmt: skip
    truth = reference.epilogue(bit_truth(layer, x, threshold, bits), tensors, [residual])
    np.testing.assert_array_equal(packed, reference.pack(truth, tensors["bias"], 1))
    np.testing.assert_array_equal(ours[..., : layer.outputs], truth + late[..., : layer.outputs])
    between = late if in_place else np.full_like(late, np.nan)
    np.testing.assert_array_equal(ours[..., layer.outputs :], between[..., layer.outputs :])


@checked
@given(layer=layers(pad_values=(0, 0, 1, -1)), vector=st.booleans())
def test_integers_of_bits(layer: Layer, vector: bool) -> None:
    """With scale one and nothing added, the output is the exact sum of products of signs."""
    _, x, threshold, bits, _ = bit_case(layer)
    tensors = {
        "scale": np.ones(layer.outputs, np.float32),
        "bias": np.zeros(layer.outputs, np.float32),
    }
    ours, _ = run_bits(layer, x, threshold, bits, tensors=tensors, vector=vector)
    np.testing.assert_array_equal(ours, bit_truth(layer, x, threshold, bits))


@checked
@given(
    layer=layers(inputs=9),
    vector=st.booleans(),
    offset=st.sampled_from([0, 1, 128, 255]),
    pixel=st.sampled_from(PIXELS),
)
def test_pixels(layer: Layer, vector: bool, offset: int, pixel: np.dtype) -> None:
    rng = np.random.default_rng(layer.seed)
    x = rng.integers(0, 256, (layer.batch, *layer.size, layer.inputs)).astype(np.uint8)
    weight = rng.integers(-128, 128, layer.weight_shape).astype(np.int8)
    tensors = vectors(rng, layer)
    ours, packed = run_pixels(
        layer, x, weight, offset, pixel, tensors=tensors, vector=vector, pack=(tensors["bias"], 1)
    )
    sums = reference.convolution_sums(x.astype(np.int64) - offset, weight, layer.attrs)
    truth = reference.epilogue(sums, tensors, [])
    np.testing.assert_array_equal(ours, truth)
    np.testing.assert_array_equal(packed, reference.pack(truth, tensors["bias"], 1))


@checked
@given(layer=layers(inputs=40), vector=st.booleans())
def test_floats(layer: Layer, vector: bool) -> None:
    rng = np.random.default_rng(layer.seed)
    x = rng.normal(size=(layer.batch, *layer.size, layer.inputs)).astype(np.float32)
    weight = rng.normal(size=layer.weight_shape).astype(np.float32)
    tensors = {role: np.abs(array) for role, array in vectors(rng, layer).items()}
    ours, _ = run_floats(layer, x, weight, tensors=tensors, vector=vector)
    truth = reference.epilogue(
        reference.convolution_sums(x.astype(np.float64), weight, layer.attrs), tensors, []
    )
    scale = max(1.0, float(np.abs(truth).max()))
    np.testing.assert_allclose(ours, truth, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("vector", [True, False])
def test_floats_are_exact_on_integers(vector: bool) -> None:
    """Sums below 2^24 have no rounding, so any order of addition gives the same float32."""
    layer = Layer(1, (9, 9), 24, 70, (3, 3), SAME)
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (1, 9, 9, 24)).astype(np.float32)
    weight = rng.integers(-127, 128, layer.weight_shape).astype(np.int8)
    tensors = {"scale": np.ones(70, np.float32), "bias": np.zeros(70, np.float32)}
    ours, _ = run_floats(layer, x, weight, tensors=tensors, vector=vector)
    truth = reference.convolution_sums(x.astype(np.int64), weight, layer.attrs)
    np.testing.assert_array_equal(ours, truth)


@pytest.mark.parametrize("value", [0.0, -0.0])
def test_zero_counts_as_plus_one(value: float) -> None:
    layer = Layer(1, (2, 2), 65, 16, (1, 1), PLAIN)
    x = np.full((1, 2, 2, 65), value, np.float32)
    bits = pack_channels(np.ones(layer.weight_shape, np.uint8))
    tensors = {"scale": np.ones(16, np.float32), "bias": np.zeros(16, np.float32)}
    for threshold in (0.0, -0.0):
        ours, _ = run_bits(layer, x, np.full(65, threshold, np.float32), bits, tensors=tensors)
        np.testing.assert_array_equal(ours, np.full((1, 2, 2, 16), 65))


@pytest.mark.parametrize("vector", [True, False])
@pytest.mark.parametrize(("side", "inputs"), [(11, 512), (16, 320)])
def test_extreme_sums(vector: bool, side: int, inputs: int) -> None:
    """All bits alike and all bits different: the greatest common window, and sums beyond 2^16."""
    layer = Layer(1, (side, side), inputs, 8, (side, side), PLAIN)
    x = np.ones((1, side, side, inputs), np.float32)
    signs = np.zeros(layer.weight_shape, np.uint8)
    signs[..., ::2] = 1
    tensors = {"scale": np.ones(8, np.float32), "bias": np.zeros(8, np.float32)}
    ours, _ = run_bits(
        layer, x, np.zeros(inputs, np.float32), pack_channels(signs), tensors=tensors, vector=vector
    )
    taps = side * side * inputs
    np.testing.assert_array_equal(ours.ravel(), [taps, -taps] * 4)


@pytest.mark.parametrize("pixel", PIXELS)
@pytest.mark.parametrize("vector", [True, False])
def test_extreme_pixels(vector: bool, pixel: np.dtype) -> None:
    """Sums beyond 2^24 are still exact integers, rounded once."""
    layer = Layer(1, (20, 20), 3, 4, (20, 20), PLAIN)
    x = np.full((1, 20, 20, 3), 255, np.uint8)
    weight = np.full(layer.weight_shape, -127, np.int8)
    weight[0, 0, 0] = 1
    tensors = {"scale": np.ones(4, np.float32), "bias": np.zeros(4, np.float32)}
    ours, _ = run_pixels(layer, x, weight, 0, pixel, tensors=tensors, vector=vector)
    np.testing.assert_array_equal(ours.ravel(), [np.float32(255 * (1 - 127 * 1199))] * 4)


@pytest.mark.parametrize("vector", [True, False])
def test_output_over_its_residual(vector: bool) -> None:
    layer = Layer(2, (7, 9), 64, 77, (3, 3), SAME, seed=5)
    rng, x, threshold, bits, residual = bit_case(layer)
    given_ = {"tensors": vectors(rng, layer), "residual": residual, "vector": vector}
    apart, _ = run_bits(layer, x, threshold, bits, **given_)
    over, _ = run_bits(layer, x, threshold, bits, in_place=True, **given_)
    np.testing.assert_array_equal(apart, over)


@pytest.mark.parametrize("vector", [True, False])
def test_bits_without_floats(vector: bool) -> None:
    layer = Layer(2, (7, 9), 70, 130, (3, 3), SAME, seed=6)
    rng, x, threshold, bits, _ = bit_case(layer)
    tensors = vectors(rng, layer)
    pack = (np.zeros(130, np.float32), 2)
    options = {"tensors": tensors, "pack": pack, "vector": vector}
    floats, with_floats = run_bits(layer, x, threshold, bits, **options)
    _, alone = run_bits(layer, x, threshold, bits, store=False, **options)
    np.testing.assert_array_equal(alone, with_floats)
    np.testing.assert_array_equal(alone, reference.pack(floats, *pack))
