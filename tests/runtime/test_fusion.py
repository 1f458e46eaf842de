"""What plans of usual blocks leave out: copies, sums and packing as passes of their own."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.runtime import PackedModel, Runner
from binvision.runtime.fusion import Packing, fuse
from binvision.runtime.plan import make_plan
from binvision.runtime.readers import Slice
from tests.support.networks import NetworkBuilder
from tests.support.reference import interpret

SIZE_HW = (14, 12)


def operations(model: PackedModel) -> list[str]:
    """Operations of each task, in order; what prepares the image is left out."""
    tasks = make_plan(model, 1, SIZE_HW).tasks
    found = [", ".join(part.op for part in task.parts if part.op != "pad") for task in tasks]
    return [text for text in found if text]


def assert_exact(model: PackedModel, threads: int = 1) -> None:
    """The outputs of the plain interpreter, in two runs on different images."""
    runner = Runner(model, batch=2, size_hw=SIZE_HW, threads=threads)
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        images = rng.integers(0, 256, (2, *SIZE_HW, 3), dtype=np.uint8)
        truth = interpret(model, images)
        for name, array in runner(images).items():
            np.testing.assert_array_equal(array, truth[name])


def hierarchical(net: NetworkBuilder, x: str, channels: int) -> str:
    """A block of three convolutions side by side, plus its input, twice where channels double."""
    first = net.binary_conv(x, channels // 2, 3, padding=1)
    second = net.binary_conv(first, channels // 4, 3, padding=1)
    third = net.binary_conv(second, channels // 4, 3, padding=1)
    joined = net.concat(first, second, third)
    return net.add(joined, x if net.channels[x] == channels else net.concat(x, x))


@pytest.mark.parametrize("threads", [1, 3])
def test_hierarchical_blocks(threads: int) -> None:
    net = NetworkBuilder()
    x = net.conv("image", 128, 3, padding=1)
    y = hierarchical(net, x, 256)
    z = hierarchical(net, y, 256)
    model = net.model(net.binary_conv(z, 7, 3))
    assert_exact(model, threads)
    # Each convolution packs its own signs, then its part of the next block's.
    assert operations(model) == [
        "conv", *["binary_conv, pack"] * 6, "binary_conv",
    ]  # fmt: skip
    fusion = fuse(model)
    assert fusion.places == {
        "binary_conv1": Slice(z, 0), "binary_conv2": Slice(z, 128), "binary_conv3": Slice(z, 192),
        "concat4": Slice(z, 0), y: Slice(z, 0), "binary_conv7": Slice(z, 0),
        "binary_conv8": Slice(z, 128), "binary_conv9": Slice(z, 192), "concat10": Slice(z, 0),
    }  # fmt: skip
    assert fusion.sums.residuals["binary_conv3"] == Slice(x, 64)
    assert fusion.packed_late["binary_conv2"] == [Packing(7, 128)]


def test_narrow_blocks() -> None:
    """Parts that fill no words: their sum is packed as a whole."""
    net = NetworkBuilder()
    y = hierarchical(net, net.conv("image", 24, 3, padding=1), 24)
    model = net.model(net.binary_conv(y, 7, 3, groups=1))
    assert_exact(model)
    assert operations(model) == [
        "conv", "binary_conv", "binary_conv", "binary_conv, pack", "binary_conv",
    ]  # fmt: skip


def test_dense_blocks() -> None:
    """All channels are made where the last concatenation has them, packed for every reader."""
    net = NetworkBuilder()
    x = net.conv("image", 64, 3, padding=1)
    for _ in range(2):
        new = net.binary_conv(x, 64, 3, padding=1)
        better = net.binary_conv(net.concat(x, new), 64, 3, padding=1, residual=new)
        x = net.concat(x, better)
    model = net.model(net.pool(x, "max_pool", 2, 2, ceil=False), net.conv(x, 3, 1, levels=True))
    assert_exact(model)
    assert operations(model) == [
        "conv, pack, pack, pack", "binary_conv", "binary_conv, pack", "binary_conv",
        "binary_conv", "max_pool", "round", "conv",
    ]  # fmt: skip


def test_an_hourglass() -> None:
    """The enlarged map is added where the finer one lies, and packed for the next layer."""
    net = NetworkBuilder()
    x = net.conv("image", 64, 3, padding=1)
    low = hierarchical(net, net.pool(x, "max_pool", 2, 2, ceil=False), 64)
    large, skip = net.upsample(low, "nearest", factor=2), hierarchical(net, x, 64)
    y = net.add(large, skip)
    model = net.model(net.binary_conv(y, 7, 3))
    assert_exact(model)
    assert operations(model) == [
        "conv", "max_pool, pack", *["binary_conv"] * 5, "binary_conv, add, pack",
        "binary_conv",
    ]  # fmt: skip
    fusion = fuse(model)
    assert large not in fusion.last_float_use
    assert fusion.places[x] == fusion.places[skip] == Slice(y, 0)


def test_what_is_read_later_is_not_overwritten() -> None:
    """Values that are read again after a sum, or that are results, keep their own memory."""
    net = NetworkBuilder()
    x = net.conv("image", 32, 3, padding=1)
    part = net.binary_conv(x, 32, 3, padding=1)
    joined = net.concat(x, part)
    total = net.add(joined, net.concat(part, x))
    again = net.binary_conv(part, 32, 3, padding=1, residual=part)
    model = net.model(total, again, joined)
    assert_exact(model)


def test_a_pool_that_reads_around_what_a_sum_would_overwrite() -> None:
    net = NetworkBuilder()
    x = net.conv("image", 16, 3, padding=1)
    around = net.pool(x, "max_pool", 3, 1, 1, ceil=False)
    model = net.model(net.add(x, net.clip(around, -1, 1)))
    assert fuse(model).places
    assert_exact(model, threads=3)
