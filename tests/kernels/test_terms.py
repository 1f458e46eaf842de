"""Sums of scaled binary convolutions against the slow reference, on both kernel paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import reference
from tests.support.convolutions import Layer, layers, run_bits, run_terms
from tests.support.networks import pack_channels

checked = settings(max_examples=40, deadline=None, print_blob=True)
SAME = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}


def vectors(rng: np.random.Generator, channels: int) -> dict[str, np.ndarray]:
    roles = ("bias", "slope", "shift")
    return {role: rng.normal(size=channels).astype(np.float32) for role in roles}


@checked
@given(
    layer=layers(outputs=50, pad_values=(0, 0, 1, -1)),
    planes=st.integers(1, 3),
    bases=st.integers(1, 3),
    per_tap=st.booleans(),
    vector=st.booleans(),
    cuts=st.tuples(st.integers(0, 99), st.integers(0, 99)),
)
def test_any_sum(
    layer: Layer, planes: int, bases: int, per_tap: bool, vector: bool, cuts: tuple[int, int]
) -> None:
    rng = np.random.default_rng(layer.seed)
    x = rng.normal(size=(layer.batch, *layer.size, layer.inputs)).astype(np.float32)
    thresholds = rng.normal(size=(planes, layer.inputs)).astype(np.float32)
    bits = [pack_channels(rng.integers(0, 2, layer.weight_shape)) for _ in range(bases)]
    taps = int(np.prod(layer.kernel)) if per_tap else 1
    scale = rng.normal(size=(planes, bases, taps, layer.outputs)).astype(np.float32)
    tensors = vectors(rng, layer.outputs)
    residual = rng.normal(size=(layer.batch, *layer.out_hw, layer.outputs)).astype(np.float32)
    ours, packed = run_terms(
        layer, x, thresholds, np.stack(bits), per_tap, residual=residual, vector=vector, cuts=cuts,
        tensors={**tensors, "scale": scale.reshape(-1, layer.outputs)}, pack=(tensors["bias"], 1),
    )  # fmt: skip
    share = layer.inputs // layer.attrs["groups"]
    signs = np.stack([reference.unpack(base, share) for base in bits])
    total = reference.term_sums(x, thresholds, signs, scale, layer.attrs)
    truth = reference.epilogue(total, {**tensors, "scale": np.float32(1)}, [residual])
    np.testing.assert_array_equal(ours, truth)
    np.testing.assert_array_equal(packed, reference.pack(truth, tensors["bias"], 1))


@pytest.mark.parametrize("vector", [True, False])
def test_equal_scales_of_taps_are_one_scale(vector: bool) -> None:
    """The taps of a window, each scaled by the same power of two, add up to the plain layer."""
    layer = Layer(2, (7, 9), 70, 40, (3, 3), SAME, seed=3)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 7, 9, 70)).astype(np.float32)
    threshold, tensors = np.zeros(70, np.float32), vectors(rng, 40)
    bits = pack_channels(rng.integers(0, 2, layer.weight_shape))
    scale = (2.0 ** rng.integers(-3, 4, 40)).astype(np.float32)
    options = {"vector": vector, "tensors": {**tensors, "scale": scale}}
    plain, _ = run_bits(layer, x, threshold, bits, **options)
    options["tensors"]["scale"] = np.tile(scale, (9, 1))
    by_tap, _ = run_terms(layer, x, threshold[None], bits[None], True, **options)
    np.testing.assert_array_equal(plain, by_tap)
