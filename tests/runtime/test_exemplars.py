"""Further inputs of a model: correlations with them, and what a reader refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from binvision.errors import ModelError, ModelFileError, UsageError
from binvision.runtime import PackedModel, Runner, Step, load, save
from binvision.runtime.account import account
from binvision.runtime.plan import make_plan
from tests.support.networks import NetworkBuilder
from tests.support.reference import interpret

SIZE_HW = (23, 31)


def matching(channels: int = 20, side: int = 3, stride: tuple[int, int] = (2, 2)) -> PackedModel:
    """Two maps, each correlated with an exemplar, joined and looked at by a real layer."""
    net = NetworkBuilder()
    fine = net.conv("image", channels, 3, padding=1)
    coarse = net.conv(net.pool(fine, "avg_pool", 2, 2, ceil=True), channels, 1, dtype="float32")
    by_channel = net.correlate_channels(
        fine, net.exemplar("exemplar_fine", side, side + 2, channels), stride
    )
    by_pixel = net.correlate_pixels(coarse, net.exemplar("exemplar_coarse", 2, 3, channels))
    joined = net.conv(net.concat(by_channel, by_pixel, coarse), 7, 1, dtype="float32")
    return net.model(joined, by_channel, by_pixel, coarse)


def exemplars(model: PackedModel, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=s).astype(np.float32) for name, s in model.exemplars.items()}


def images(batch: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (batch, *SIZE_HW, 3), dtype=np.uint8)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("channels", "side"), [(20, 3), (64, 7), (5, 1)])
def test_correlations(channels: int, side: int, threads: int) -> None:
    model = matching(channels, side)
    runner = Runner(model, batch=2, size_hw=SIZE_HW, threads=threads)
    for seed in (0, 1):
        given = exemplars(model, seed)
        for name, values in given.items():
            runner.set_exemplar(name, values)
        truth = interpret(model, images(2, seed), given)
        for name, array in runner(images(2, seed)).items():
            scale = np.abs(truth[name]).max()
            np.testing.assert_allclose(array, truth[name], rtol=0, atol=2e-6 * scale)


def test_signs_of_a_correlation() -> None:
    net = NetworkBuilder()
    x = net.conv("image", 64, 3)
    y = net.correlate_channels(x, net.exemplar("e", 3, 3, 64))
    model = net.model(net.binary_conv(y, 8, 3, threshold=np.zeros(64)), y)
    runner, given = Runner(model, batch=1, size_hw=SIZE_HW), exemplars(model, 0)
    runner.set_exemplar("e", given["e"])
    truth = interpret(model, images(1), given)
    for name, array in runner(images(1)).items():
        np.testing.assert_allclose(array, truth[name], rtol=0, atol=1e-5)


def test_plans_without_vectors_agree() -> None:
    model = matching()
    results = []
    for vector in (False, True):
        plan = make_plan(model, 1, SIZE_HW, vector=vector)
        for name, values in exemplars(model, 0).items():
            for write in plan.exemplars[name]:
                write(values)
        plan.image[:] = images(1)
        for task in plan.tasks:
            task.run(0, task.rows)
        results.append({name: array.copy() for name, array in plan.outputs.items()})
    for name in model.outputs:
        np.testing.assert_allclose(results[0][name], results[1][name], rtol=0, atol=1e-4)


def test_an_exemplar_is_zero_until_given_and_is_copied() -> None:
    model = matching()
    runner = Runner(model, batch=1, size_hw=SIZE_HW)
    assert not runner(images(1))["correlate_channels3"].any()
    given = exemplars(model, 0)
    runner.set_exemplar("exemplar_fine", given["exemplar_fine"])
    before = runner(images(1))["correlate_channels3"].copy()
    given["exemplar_fine"][:] = 9
    np.testing.assert_array_equal(runner(images(1))["correlate_channels3"], before)
    assert before.any()


def test_refused_exemplars() -> None:
    runner = Runner(matching(), batch=1, size_hw=SIZE_HW)
    with pytest.raises(UsageError, match="'x': the model has exemplar_fine, exemplar_coarse"):
        runner.set_exemplar("x", np.zeros((3, 5, 20), np.float32))
    with pytest.raises(UsageError, match=r"expected float32 of shape \(3, 5, 20\), got float64"):
        runner.set_exemplar("exemplar_fine", np.zeros((3, 5, 20)))
    with pytest.raises(UsageError, match=r"got float32 of shape \(5, 3, 20\)"):
        runner.set_exemplar("exemplar_fine", np.zeros((5, 3, 20), np.float32))


def test_costs() -> None:
    rows = {row.op: row for row in account(matching(), SIZE_HW)}
    by_channel, by_pixel = rows["correlate_channels"], rows["correlate_pixels"]
    assert (by_channel.shape_hwc, by_channel.kernel) == ((12, 16, 20), "3x5/2")
    assert by_channel.real_macs == 12 * 16 * 3 * 5 * 20
    assert by_pixel.shape_hwc == (12, 16, 6)
    assert by_pixel.real_macs == 12 * 16 * 2 * 3 * 20
    assert by_pixel.binary_macs == by_pixel.bytes == by_pixel.bits == 0


# A part


def test_a_part_computes_what_the_whole_does_and_no_more() -> None:
    model = matching()
    coarse = model.outputs[3]
    part = model.part([coarse])
    assert part.exemplars == {} and len(part.steps) == 3
    assert set(part.tensors) < set(model.tensors)
    ours = Runner(part, batch=1, size_hw=SIZE_HW)(images(1))
    whole = Runner(model, batch=1, size_hw=SIZE_HW)(images(1))
    np.testing.assert_array_equal(ours[coarse], whole[coarse])
    assert set(model.part([model.outputs[2]]).exemplars) == {"exemplar_coarse"}
    with pytest.raises(ModelError, match="no value 'image' to take a part for"):
        model.part(["image"])


# Files


def test_a_file_holds_them(tmp_path: Path) -> None:
    model = matching()
    save(tmp_path / "model", model)
    assert load(tmp_path / "model").exemplars == model.exemplars
    save(tmp_path / "part", model.part([model.outputs[3]]))
    assert b"exemplars" not in (tmp_path / "part").read_bytes()


def sized(**sizes: Any) -> PackedModel:
    return replace(matching(), exemplars={**matching().exemplars, **sizes})


def with_step(op: str, inputs: tuple[str, ...], **attrs: Any) -> PackedModel:
    model = matching()
    step = Step(op, "extra", inputs, "extra", attrs)
    return replace(model, steps=(*model.steps, step), outputs=(*model.outputs, "extra"))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (sized(exemplar_fine=(3, 5)), "exemplar 'exemplar_fine': size: expected height and width"),
        (sized(exemplar_fine=(3, 5, 20, 1)), "'exemplar_fine': size: expected height and width"),
        (sized(exemplar_fine=(0, 5, 20)), r"size: expected .* from 1 to 256.* got \(0, 5, 20\)"),
        (sized(exemplar_fine=(3, 257, 20)), "size: expected height and width from 1 to 256"),
        (sized(exemplar_fine=(3, 5, 65537)), "size: expected .*channels from 1 to 65536"),
        (sized(exemplar_fine=(3, 5, 20.0)), "size: expected height and width"),
        (sized(exemplar_fine=(3, True, 20)), "size: expected height and width"),
        (sized(exemplar_fine="3x5x20"), "size: expected height and width .* got '3x5x20'"),
        (sized(exemplar_fine=(3, 4, 20)), "'correlate_channels3' .*: expected odd sides, got 3x4"),
        (sized(exemplar_fine=(3, 5, 21)), "channels of the exemplar: expected 20, got 21"),
        (sized(exemplar_coarse=(2, 3, 19)), "channels of the exemplar: expected 20, got 19"),
        (sized(exemplar_coarse=(3, 3, 20)), "'conv6' .*shape of weight: expected"),
        (sized(exemplar_coarse=(256, 256, 20)), "'concat5' .*output channels: expected at most"),
        (sized(more=(3, 3, 20)), "exemplar 'more': use: expected a step that reads it, got none"),
        (sized(image=(3, 3, 20)), "exemplar 'image': name: expected a new name, got that of the"),
        (sized(conv0=(3, 3, 20)), "'conv0' .conv.: output: expected a new value, got 'conv0'"),
        (sized(**{"a b": (3, 3, 20)}), "exemplars: name: expected letters, digits"),
        (sized(**{f"e{i}": (1, 1, 20) for i in range(15)}), "number: expected at most 16, got 17"),
        (with_step("add", ("conv0", "exemplar_fine")), "expected the output of a step, got the ex"),
        (with_step("prelu", ("exemplar_fine",)), "expected the output of a step, got the exemplar"),
        (with_step("correlate_pixels", ("conv0", "conv0")), "expected an exemplar, got the value"),
        (with_step("correlate_pixels", ("exemplar_fine", "exemplar_fine")), "expected the output"),
        (with_step("correlate_pixels", ("image", "exemplar_fine")), "got the uint8 image 'image'"),
        (with_step("correlate_pixels", ("conv0",)), "number of inputs: expected 2, got 1"),
        (with_step("correlate_channels", ("conv0", "exemplar_fine")), "attributes: expected str"),
        (with_step("correlate_channels", ("conv0", "exemplar_fine"), stride=(0, 1)),
         "stride: expected two whole numbers from 1 to 256"),
        (replace(matching(), outputs=("exemplar_fine",)), "output: expected the output of a step"),
    ],
)  # fmt: skip
def test_refused_models(tmp_path: Path, model: PackedModel, message: str) -> None:
    with pytest.raises(ModelFileError, match=message) as caught:
        save(tmp_path / "model", model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [[], 3, None, "exemplars"])
def test_refused_field(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ModelFileError, match="exemplars: expected an object"):
        save(tmp_path / "model", replace(matching(), exemplars=value or [[]]))


def test_more_memory_than_there_is() -> None:
    net = NetworkBuilder()
    x = net.conv("image", 64, 1)
    for _ in range(10):
        x = net.concat(x, x)
    model = net.model(
        net.correlate_channels(x, net.exemplar("e", 255, 255, net.channels[x])),
        net.correlate_pixels(x, net.exemplar("f", 256, 255, net.channels[x])),
    )
    with pytest.raises(ModelError, match="give smaller images, or fewer at once"):
        make_plan(model, 1, (2, 2))
