"""The fast reference agrees with the slow truth, and the twin with what it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.bench.reference import evaluate, signs
from binvision.bench.twin import real_input, real_twin
from binvision.errors import UsageError
from binvision.runtime import PackedModel
from tests.support import reference
from tests.support.networks import NetworkBuilder, alexnet, residual_network
from tests.support.packed import small_model


def images(side: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def everything() -> PackedModel:
    """Stride, dilation, groups, paddings, residual, sums of terms, PReLU, shift, ceil."""
    net = NetworkBuilder(5)
    x = net.conv("image", 66, 3, stride=2, padding=1, offset=7.0)
    y = net.binary_conv(x, 132, 3, padding=2, dilation=2, groups=2, residual=net.concat(x, x))
    y = net.binary_conv(y, 64, 3, planes=2, bases=3, pad_value=-1, padding=1)
    y = net.binary_conv(y, 48, 3, stride=2, bases=2, per_tap=True, padding=1)
    y = net.pool(y, "avg_pool", 3, 2, 1, ceil=True)
    y = net.pool(net.prelu(y), "max_pool", 2, 2, ceil=True)
    return net.model(net.conv(net.affine(y), 5, 1, dtype="float32"), x)


def pyramid() -> PackedModel:
    """Every way to change a picture's size, means of it, bounds, concatenation."""
    net = NetworkBuilder(6)
    x = net.conv("image", 64, 3, stride=2, padding=1, offset=128)
    y = net.binary_conv(net.pool(x, "max_pool", 2, 2, ceil=True), 64, 3, padding=1)
    z = net.binary_conv(net.pool(y, "avg_pool", 2, 2, ceil=True), 64, 1)
    y = net.clip(net.concat(y, net.upsample(z, "bilinear", like=y)), -1, 2)
    y = net.upsample(net.conv(y, 64, 1, dtype="float32"), "nearest", like=x)
    mean = net.conv(net.global_avg_pool(x), 8, 1, dtype="float32")
    y = net.upsample(net.upsample(net.concat(x, y), "nearest", 2), "bilinear", 3)
    return net.model(net.conv(y, 5, 1, dtype="float32"), mean)


NETWORKS = {
    "pyramid": (pyramid, 26),
    "residual": (residual_network, 39),
    "alexnet": (alexnet, 95),
    "small": (small_model, 23),
    "everything": (everything, 31),
}


@pytest.mark.parametrize(("make", "side"), NETWORKS.values(), ids=NETWORKS)
def test_reference_is_the_truth(make, side: int) -> None:
    model, x = make(), images(side)
    truth, found = reference.interpret(model, x), evaluate(model, x)
    for name in truth:
        np.testing.assert_allclose(found[name], truth[name], rtol=1e-4, atol=1e-4)


def test_signs_are_the_bits() -> None:
    model = small_model(channels=70)
    (step,) = [step for step in model.steps if step.op == "binary_conv"]
    found = signs(model, step)
    assert found.dtype == np.float32 and set(np.unique(found)) == {-1, 1}
    np.testing.assert_array_equal(found[0], reference.unpack(model.tensor(step, "bits"), 70))


@pytest.mark.parametrize(("make", "side"), NETWORKS.values(), ids=NETWORKS)
def test_twin_has_the_same_values_in_the_same_shapes(make, side: int) -> None:
    model, x = make(), images(side)
    packed, twin = evaluate(model, x), evaluate(real_twin(model), real_input(model, x))
    assert {name: twin[name].shape for name in packed} == {
        name: value.shape for name, value in packed.items()
    }
    assert "binary_conv" not in {step.op for step in real_twin(model).steps}


def test_twin_of_a_real_network_is_that_network() -> None:
    net = NetworkBuilder(2)
    x = net.conv("image", 8, 3, stride=2, offset=128)
    y = net.conv(x, 8, 3, padding=1, dtype="float32", residual=x, slope=True)
    model, pictures = net.model(y), images(19)
    twin = evaluate(real_twin(model), real_input(model, pictures))
    np.testing.assert_allclose(twin[y], evaluate(model, pictures)[y], rtol=1e-4, atol=1e-5)


def test_two_offsets_have_no_common_input() -> None:
    net = NetworkBuilder(2)
    left, right = (net.conv("image", 8, 3, offset=offset) for offset in (0, 128))
    with pytest.raises(UsageError, match=r"random: its layers read .* offsets \[0, 128\], expect"):
        real_twin(net.model(net.add(left, right)))
