"""Sizes against PyTorch, costs against a count by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from binvision.errors import ModelError
from binvision.runtime import PackedModel, Step, load, save
from binvision.runtime.account import account, header_bytes, working_size_hw
from binvision.runtime.shapes import infer_shapes
from tests.support.networks import NetworkBuilder
from tests.support.packed import CONV, IMAGE, POOL, small_model


def by_name(model: PackedModel, size_hw: tuple[int, int] | None) -> dict[str, Any]:
    return {row.name: row for row in account(model, size_hw)}


def test_costs_of_the_small_model() -> None:
    """63x63: the stem gives 30x30, the pool 15x15, the mean 8x8."""
    rows = by_name(small_model(), (63, 63))
    stem, block, head, twice = (rows[name] for name in ("stem", "block", "head", "twice"))
    assert (stem.kernel, stem.bits, stem.shape_hwc) == ("4x4/2 3>70", 8, (30, 30, 70))
    assert stem.real_parameters == 4 * 4 * 3 * 70 + 3 * 70
    assert stem.bytes == 4 * 4 * 3 * 70 + 3 * 70 * 4
    assert (stem.binary_macs, stem.real_macs) == (0, 30 * 30 * 4 * 4 * 3 * 70)
    assert stem.reason == "reads 8-bit pixels"

    assert (block.kernel, block.bits, block.reason) == ("3x3 70>70", 1, "")
    assert block.binary_parameters == 3 * 3 * 70 * 70
    assert block.real_parameters == 4 * 70
    assert block.bytes == 3 * 3 * 2 * 70 * 8 + 4 * 70 * 4
    assert (block.binary_macs, block.real_macs) == (15 * 15 * 3 * 3 * 70 * 70, 0)

    assert (head.bits, head.reason) == (32, "real in the trained network")
    assert (head.shape_hwc, head.real_macs) == ((8, 8, 8), 8 * 8 * 140 * 8)
    assert (twice.shape_hwc, twice.bytes, twice.bits) == ((8, 8, 140), 0, 0)


@pytest.mark.parametrize("channels", [1, 64, 70, 140])
def test_bytes_add_up_to_the_file(tmp_path: Path, channels: int) -> None:
    save(tmp_path / "m", small_model(channels=channels))
    model = load(tmp_path / "m")
    total = sum(row.bytes for row in account(model, None)) + header_bytes(model)
    assert total == (tmp_path / "m").stat().st_size


def test_a_sum_costs_all_its_terms() -> None:
    net = NetworkBuilder()
    x = net.conv("image", 6, 1)
    model = net.model(net.binary_conv(x, 4, 3, planes=2, bases=3, per_tap=True))
    row = by_name(model, (7, 8))["binary_conv1"]
    assert row.kernel == "3x3 6>4, 2 planes, 3 bases, scaled by tap"
    assert row.binary_parameters == 3 * 3 * 3 * 6 * 4
    assert row.binary_macs == 5 * 6 * 2 * row.binary_parameters


def test_groups_divide_the_cost() -> None:
    model = grouped_model(groups=2)
    (row,) = account(model, (9, 9))
    assert row.kernel == "3x3/2,1 6>4 in 2 groups"
    assert row.real_macs == 4 * 7 * 3 * 3 * 3 * 4


def grouped_model(groups: int) -> PackedModel:
    attrs = {**CONV, "stride": (2, 1), "groups": groups, "offset": 0.0}
    roles = {"weight": "w", "scale": "v", "bias": "v"}
    step = Step("conv", "conv", ("image",), "y", attrs, roles)
    tensors = {"w": np.ones((3, 3, 6 // groups, 4), np.int8), "v": np.ones(4, np.float32)}
    image = {**IMAGE, "channels": 6}
    return PackedModel("m", "t", image, (step,), ("y",), {}, {}, {}, tensors)


def test_a_shared_tensor_counts_once() -> None:
    model = grouped_model(groups=1)
    (row,) = account(model, None)
    assert row.bytes == 3 * 3 * 6 * 4 + 4 * 4  # scale and bias are one tensor
    assert (row.shape_hwc, row.real_macs) == (None, 0)


def test_working_size() -> None:
    assert working_size_hw(small_model()) == (63, 63)
    assert working_size_hw(small_model(settings={})) is None
    assert working_size_hw(small_model(settings={"search_size": "x"})) is None
    assert working_size_hw(small_model(settings={"input_size": 250, "multiple": 32})) == (256, 256)
    assert working_size_hw(small_model(settings={"input_size": 250, "multiple": 0})) is None


@pytest.mark.parametrize("seed", range(60))
def test_sizes_are_those_of_pytorch(seed: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    size_hw = tuple(int(v) for v in rng.integers(12, 40, 2))
    kernel = tuple(int(v) for v in rng.integers(1, 6, 2))
    stride = tuple(int(v) for v in rng.integers(1, 5, 2))
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    dilation = tuple(int(v) for v in rng.integers(1, 4, 2))
    ceil = bool(rng.integers(2))

    pool = {"kernel": kernel, "stride": stride, "padding": padding, "ceil": ceil}
    steps = (
        Step("conv", "conv", ("image",), "c", {**CONV, "stride": stride, "padding": padding,
             "dilation": dilation, "offset": 0.0}, {"weight": "w"}),
        Step("max_pool", "pool", ("image",), "p", pool),
    )  # fmt: skip
    tensors = {"w": np.ones((*kernel, 3, 5), np.float32)}
    model = PackedModel("m", "t", IMAGE, steps, ("c", "p"), {}, {}, {}, tensors)
    image = torch.zeros(1, 3, *size_hw)
    conv = torch.nn.Conv2d(3, 5, kernel, stride, padding, dilation)(image)
    pooled = torch.nn.functional.max_pool2d(image, kernel, stride, padding, ceil_mode=ceil)
    shapes = infer_shapes(model, size_hw)
    assert shapes["c"] == (*conv.shape[2:], 5)
    assert shapes["p"] == (*pooled.shape[2:], 3)


def test_image_too_small() -> None:
    with pytest.raises(ModelError, match="step 'stem' .*3x9 pixels is .* window of 4x4"):
        infer_shapes(small_model(), (3, 9))


def test_sizes_that_do_not_meet() -> None:
    model = small_model()
    steps = list(model.steps)
    steps[5] = Step("add", "sum", ("act", "stem"), "sum")
    with pytest.raises(ModelError, match="'sum' .add.: .* differ in size: 15x15, 30x30 pixels"):
        infer_shapes(small_model(steps=tuple(steps)), (63, 63))


def test_ceil_pool_counts_the_last_window() -> None:
    model = small_model()
    floor = Step("max_pool", "pool", ("stem",), "pool", {**POOL, "ceil": False})
    shapes = infer_shapes(small_model(steps=(model.steps[0], floor)), (65, 67))
    assert shapes["pool"] == (15, 16, 70)
    assert infer_shapes(model, (65, 67))["pool"] == (16, 16, 70)
