"""Packing, pooling, copies, element-wise kernels and cross-correlation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binvision import kernels
from tests.support import reference

checked = settings(max_examples=50, deadline=None, print_blob=True)
seeds = st.integers(0, 2**16)


def floats(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@checked
@given(
    seed=seeds, groups=st.integers(1, 3), share=st.integers(1, 150), height=st.integers(1, 5),
    width=st.integers(1, 5), border=st.integers(0, 2), spare=st.integers(0, 2),
    vector=st.booleans(),
)  # fmt: skip
def test_pack(seed, groups, share, height, width, border, spare, vector) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (2, height, width, groups * share)).astype(np.float32)
    threshold = rng.integers(-1, 2, groups * share).astype(np.float32)
    truth = reference.pack(x, threshold, groups)
    words = truth.shape[-1]
    edge = (border, border)
    bits = np.zeros(np.pad(truth, ((0, 0), edge, edge, (0, 0))).shape, np.uint64)
    row, flat = (width + 2 * border) * words, bits.reshape(-1)
    places = np.array([height, groups, border * (row + words), bits[0].size, row, words], np.int64)
    wide = np.pad(x, ((0, 0), (0, 0), (0, 0), (0, spare)))  # pixels among other channels
    packing, stride = (flat, threshold, places), groups * share + spare
    kernels.pack_signs(wide.reshape(-1), stride, width, packing, 0, 2 * height, vector)
    np.testing.assert_array_equal(bits, np.pad(truth, ((0, 0), edge, edge, (0, 0))))


@pytest.mark.parametrize("vector", [True, False])
def test_pack_of_odd_numbers(vector: bool) -> None:
    """-0.0 and a value on its threshold are +1; NaN is not."""
    x = np.array([0.0, -0.0, 1.0, np.nan, np.inf, -np.inf] + [-1.0] * 58, np.float32)
    threshold = np.array([-0.0, 0.0, 1.0] + [0.0] * 61, np.float32)
    bits = np.zeros(1, np.uint64)
    places = np.array([1, 1, 0, 1, 1, 1], np.int64)
    kernels.pack_signs(x, len(threshold), 1, (bits, threshold, places), 0, 1, vector)
    assert bits[0] == 0b10111


@checked
@given(
    seed=seeds, kernel=st.integers(1, 4), stride=st.integers(1, 4), padding=st.integers(0, 2),
    height=st.integers(1, 9), width=st.integers(1, 9), channels=st.integers(1, 40),
    spare=st.integers(0, 2), ceil=st.booleans(), take_max=st.booleans(),
)  # fmt: skip
def test_pool(
    seed, kernel, stride, padding, height, width, channels, spare, ceil, take_max
) -> None:
    padding = min(padding, kernel // 2)
    height, width = max(height, kernel), max(width, kernel)
    x = floats(seed, 2, height, width, channels)
    names = ("kernel", "stride", "padding")
    attrs = {name: (v, v) for name, v in zip(names, (kernel, stride, padding), strict=True)}
    truth = reference.pooled(x, {**attrs, "ceil": ceil}, np.max if take_max else np.mean)
    wide = np.pad(x, ((0, 0), (0, 0), (0, 0), (0, spare)))
    out = np.full((*truth.shape[:3], channels + 2 * spare), np.nan, np.float32)
    strides = (channels + spare, channels + 2 * spare)
    sizes = np.array([height, width, channels, *truth.shape[1:3], *strides], np.int64)
    window = np.array([kernel, kernel, stride, stride, padding, padding], np.int64)
    rows = 2 * truth.shape[1]
    for start, stop in ((0, rows // 2), (rows // 2, rows)):
        kernels.pool(wide.reshape(-1), out.reshape(-1), sizes, window, take_max, start, stop)
    np.testing.assert_allclose(out[..., :channels], truth, rtol=1e-6, atol=1e-6)
    assert np.isnan(out[..., channels:]).all()


def test_max_pool_keeps_nan() -> None:
    for place in range(4):
        x = np.zeros(4, np.float32)
        x[place] = np.nan
        out = np.zeros(1, np.float32)
        sizes, window = np.array([2, 2, 1, 1, 1, 1, 1]), np.array([2, 2, 2, 2, 0, 0])
        kernels.pool(x, out, sizes, window, True, 0, 1)
        assert np.isnan(out[0])


@checked
@given(
    seed=seeds, count=st.integers(1, 3), kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    extra=st.tuples(st.integers(0, 9), st.integers(0, 9)), channels=st.integers(1, 70),
)  # fmt: skip
def test_correlate(seed, count, kernel, extra, channels) -> None:
    exemplar = floats(seed, *kernel, channels)
    search = floats(seed + 1, count, kernel[0] + extra[0], kernel[1] + extra[1], channels)
    out = np.full((count, extra[0] + 1, extra[1] + 1), np.nan, np.float32)
    kernels.correlate(exemplar, search, out)
    truth = reference.correlation(exemplar, search)
    scale = np.abs(exemplar).sum() * np.abs(search).max()
    np.testing.assert_allclose(out, truth, rtol=0, atol=1e-6 * scale)


@checked
@given(
    half=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 20)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    channels=st.integers(1, 70),
    spare=st.integers(0, 3),
    seed=seeds,
)
def test_correlation_by_channel(half, size, stride, channels, spare, seed) -> None:
    rows, columns = (2 * each + 1 for each in half)
    exemplar, values = floats(seed, rows, columns, channels), floats(seed + 1, *size, channels)
    truth = reference.correlation_by_channel(values, exemplar, stride) * (rows * columns)
    wide = np.pad(values, ((0, 0), (0, 0), (0, 0), (0, spare)))  # pixels among other channels
    out = np.full((*truth.shape[:3], channels + spare), np.nan, np.float32)
    sizes = np.array([*size[1:], channels, *truth.shape[1:3], rows, columns, *stride], np.int64)
    kernels.correlate_channels(
        wide.reshape(-1), channels + spare, kernels.exemplar_weights(exemplar), out.reshape(-1),
        channels + spare, sizes, 0, size[0] * truth.shape[1],
    )  # fmt: skip
    np.testing.assert_allclose(out[..., :channels], truth, rtol=0, atol=2e-5)
    assert np.isnan(out[..., channels:]).all()


@checked
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    out=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    channels=st.integers(1, 20),
    mode=st.sampled_from(["nearest", "bilinear"]),
    cut=st.integers(0, 60),
)
def test_resize(
    size: tuple[int, int], out: tuple[int, int], channels: int, mode: str, cut: int
) -> None:
    x = floats(0, 2, *size, channels)
    ours = np.full((2, *out, channels), np.nan, np.float32)
    sizes = np.array([*size, channels, *out], np.int64)
    for start, stop in ((0, min(cut, 2 * out[0])), (min(cut, 2 * out[0]), 2 * out[0])):
        kernels.resize(x.reshape(-1), ours.reshape(-1), sizes, mode == "bilinear", start, stop)
    tolerance = {"nearest": 0.0, "bilinear": 1e-5}[mode]
    np.testing.assert_allclose(ours, reference.resized(x, out, mode), rtol=0, atol=tolerance)


@checked
@given(
    seed=seeds, size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    out=st.tuples(st.integers(1, 9), st.integers(1, 9)), channels=st.integers(1, 40),
    spare=st.integers(0, 2),
)  # fmt: skip
def test_add_enlarged(seed, size, out, channels, spare) -> None:
    """In the memory of the larger value, among other channels."""
    small = floats(seed, 2, *size, channels + spare)
    values = floats(seed + 1, 2, *out, channels + 2 * spare)
    expected = values.copy()
    expected[..., :channels] += reference.resized(small[..., :channels], out, "nearest")
    sizes = np.array([*size, channels, *out], np.int64)
    memory = values.reshape(-1)
    for start, stop in ((0, out[0]), (out[0], 2 * out[0])):
        kernels.add_enlarged(
            small.reshape(-1), channels + spare, sizes, memory, channels + 2 * spare,
            memory, channels + 2 * spare, start, stop,
        )  # fmt: skip
    np.testing.assert_array_equal(values, expected)


def test_clip_keeps_nan() -> None:
    x = np.array([-9, -1, 0, 6, 7, np.nan, np.inf, -np.inf], np.float32)
    out = np.zeros(8, np.float32)
    kernels.clip(x, -1.0, 6.0, out, 0, 8)
    np.testing.assert_array_equal(out, [-1, -1, 0, 6, 6, np.nan, 6, -1])


def test_elementwise() -> None:
    left, right = floats(0, 6, 5), floats(1, 6, 5)
    scale, bias, slope, shift = floats(2, 4, 5)
    out = np.zeros((6, 5), np.float32)
    kernels.add(left.reshape(-1), 5, right.reshape(-1), 5, out.reshape(-1), 5, 5, 2, 5)
    np.testing.assert_array_equal(out[2:5], (left + right)[2:5])
    assert not out[:2].any() and not out[5:].any()
    long, wide = floats(3, 6, 40), floats(4, 6, 50)
    expected = wide.copy()
    expected[1:4, 3:40] += long[1:4, :37]
    memory = wide.reshape(-1)[3:]
    kernels.add(long.reshape(-1), 40, memory, 50, memory, 50, 37, 1, 4)
    np.testing.assert_array_equal(wide, expected)
    kernels.affine_prelu(left.reshape(-1), scale, bias, slope, shift, out.reshape(-1), 0, 6)
    y = left * scale + bias
    np.testing.assert_array_equal(out, np.where(y >= 0, y, y * slope) + shift)
    wide = np.zeros((6, 8), np.float32)
    kernels.copy_channels(left.reshape(-1), 5, wide.reshape(-1)[2:], 8, 5, 1, 6)
    np.testing.assert_array_equal(wide[1:, 2:7], left[1:])
    assert not wide[0].any() and not wide[:, :2].any() and not wide[:, 7:].any()


def test_bordered_copies() -> None:
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3), dtype=np.uint8)
    place = np.array([3, 12, 2 * 24 + 6, 7 * 24, 24], np.int64)
    expected = np.pad(image, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=9)
    out = np.full(expected.shape, 9, np.uint8)
    kernels.copy_rows(image.reshape(-1), out.reshape(-1), place, 0, 6)
    np.testing.assert_array_equal(out, expected)
    wide = np.full(expected.shape, 9, np.int16)
    kernels.copy_rows(image.reshape(-1), wide.reshape(-1), place, 0, 6)
    np.testing.assert_array_equal(wide, expected)
    real = np.zeros(expected.shape, np.float32)
    kernels.subtract_offset(image.reshape(-1), 1.5, real.reshape(-1), place, 0, 6)
    inside = np.pad(image - np.float32(1.5), ((0, 0), (2, 2), (2, 2), (0, 0)))
    np.testing.assert_array_equal(real, inside)


@pytest.mark.parametrize("pixel", [np.uint8, np.int16])
@pytest.mark.parametrize("vector", [True, False])
def test_quantize_rounds_halves_to_even_and_clips(vector: bool, pixel: type) -> None:
    row = [0.5, 1.5, -0.5, -1.5, 127.4, 127.5, 1e30, -127.5, -128.5, -1e30, np.inf, -np.inf]
    row += [np.nan, 0.0, -0.0, 3.49]
    expected = [0, 2, 0, -2, 127, 127, 127, -128, -128, -128, 127, -128, -128, 0, 0, 3]
    values = np.array(row * 4, np.float32)
    out = np.zeros(2 * 70, pixel)
    place = np.array([1, 32, 3, 70, 0], np.int64)  # two pictures of one row of two pixels
    kernels.quantize(values, np.ones(16, np.float32), out, place, 0, 2, vector)
    inside = out.reshape(2, 70)[:, 3:35].reshape(4, 16)
    np.testing.assert_array_equal(inside.astype(int) - 128, [expected] * 4)
    assert out.reshape(2, 70)[:, :3].sum() == 0 and out.reshape(2, 70)[:, 35:].sum() == 0
