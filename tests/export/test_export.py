"""Exported networks against PyTorch: layer by layer on equal inputs, then as a whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones import BACKBONES, build_backbone
from binvision.binary import BinaryConv2d, QuantConv2d
from binvision.errors import ExportError
from binvision.export import export_model
from binvision.export.pack import pack_signs
from binvision.export.verify import verify
from binvision.runtime import PackedModel, load, save
from binvision.trackers.model import SiamFC, SiamFCConfig
from tests.support.in_torch import evaluate, integer_dots, run_step, unpack_bits
from tests.support.reference import interpret
from tests.support.torch_networks import (
    Bases,
    Branches,
    Plain,
    ReAct,
    fitting,
    outputs_of_layers,
    random_images,
    randomize,
    small_backbone,
)

BINARY = ["bireal", "bnn", "rbcn", "rbcn_matrix", "xnor"]  # of signs alone
PACKED = ["fp", *BINARY]


def exported(network: nn.Module, **changes: Any) -> PackedModel:
    fields: dict[str, Any] = {
        "name": "random",
        "task": "tracking/siamfc",
        "settings": {},
        "provenance": {},
        "accuracy": {},
    }
    return export_model(network, **{**fields, **changes})


def assert_close(ours: Tensor, theirs: Tensor, relative: float) -> None:
    assert ours.shape == theirs.shape
    error = (ours - theirs).abs().max() / theirs.abs().max()
    assert error <= relative, f"relative error {error:.2e}"


# Layer by layer


def assert_layers_agree(network: nn.Module, images: np.ndarray) -> int:
    """Compare each step with its layer on the layer's own inputs; returns the layers compared.

    Where a value is a layer's output, PyTorch's is carried on, so that no error adds up and no
    rounding before a sign can hide or excuse a difference after it.
    """
    model = exported(network)
    layers, result = outputs_of_layers(network, images)
    layers |= result if isinstance(result, dict) else {"features": result}
    values = {"image": torch.from_numpy(images).permute(0, 3, 1, 2).float()}
    compared = 0
    for step in model.steps:
        values[step.output] = run_step(model, step, [values[name] for name in step.inputs])
        if step.op == "binary_conv":
            _assert_dots_are_equal(network, model, step, values[step.inputs[0]], layers)
        if step.output in layers:
            assert_close(values[step.output], layers[step.output], 1e-6)
            values[step.output] = layers[step.output]
            compared += 1
    return compared


def _assert_dots_are_equal(
    network: nn.Module, model: PackedModel, step: Any, x: Tensor, layers: dict[str, Tensor]
) -> None:
    """The integers, bit for bit: the layer's output is its scale times an exact integer."""
    layer = network.get_submodule(step.name)
    if layer.folded()["scale"].ndim > 1:
        return  # a sum of floats
    scale = layer.folded()["scale"].view(-1, 1, 1)
    dots = integer_dots(model, step, x)
    assert torch.equal(dots, dots.round())
    assert torch.equal(dots * scale, layers[step.name])


@pytest.mark.parametrize("size_hw", [(127, 127), (131, 160), (239, 129)])
@pytest.mark.parametrize("method", PACKED)
@pytest.mark.parametrize("kind", BACKBONES)
def test_layers_of_backbones(kind: str, method: str, size_hw: tuple[int, int]) -> None:
    network = small_backbone(kind, method, seed=size_hw[0])
    images = random_images(1, fitting(network, size_hw), seed=1)
    assert assert_layers_agree(network, images) >= 3


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [Plain, Branches, ReAct, partial(Plain, pad_value=-1)])
def test_layers_of_odd_networks(make: Callable[[], nn.Module], seed: int) -> None:
    network = randomize(make(), seed)
    size_hw = (63 + 5 * seed, 80 - 7 * seed)
    assert assert_layers_agree(network, random_images(2, size_hw, seed)) >= 2


# Whole networks


def first_flips(
    network: nn.Module, model: PackedModel, images: np.ndarray, values: dict[str, Tensor]
) -> tuple[int, float]:
    """Bits that differ in the first 1-bit layer where any do, and their greatest distance from
    the threshold relative to the layer's greatest input."""
    inputs: dict[str, Tensor] = {}
    handles = [
        module.register_forward_pre_hook(
            lambda module, args, name=name: inputs.update({name: args[0]})
        )
        for name, module in network.named_modules()
        if isinstance(module, BinaryConv2d)
    ]
    outputs_of_layers(network, images)
    for handle in handles:
        handle.remove()
    for step in model.steps:
        if step.op == "binary_conv":
            threshold = torch.from_numpy(model.tensor(step, "threshold")).view(-1, 1, 1)
            shift = network.get_submodule(step.name).shift.detach().view(-1, 1, 1)
            theirs = inputs[step.name] + shift
            apart = (theirs >= 0) != (values[step.inputs[0]] >= threshold)
            # Behind a batch norm of negative slope the packed bits and weights are turned.
            flips = apart ^ (apart.float().mean((0, 2, 3), keepdim=True) > 0.5)
            if flips.any():
                distance = theirs.abs()[flips].max() / theirs.abs().max()
                return int(flips.sum()), float(distance)
    return 0, 0.0


@pytest.mark.parametrize("method", PACKED)
@pytest.mark.parametrize("kind", BACKBONES)
def test_whole_backbones(kind: str, method: str) -> None:
    """Features agree to 1e-4, unless a value within rounding of its threshold fell to the other
    side: then it is shown to be that, and most networks must be free of it."""
    clean = 0
    for seed in range(5):
        network = small_backbone(kind, method, seed)
        images = random_images(1, fitting(network, (127 + 4 * seed, 135)), seed)
        model = exported(network)
        values = evaluate(model, images)
        flips, distance = first_flips(network, model, images, values)
        if flips:
            assert distance < 1e-6
        else:
            _, theirs = outputs_of_layers(network, images)
            assert_close(values["features"], theirs, 1e-4)
            clean += 1
    assert clean >= 3


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_bases(seed: int) -> None:
    network = randomize(Bases(), seed)
    model = exported(network)
    assert [step.op for step in model.steps] == ["conv", "binary_conv", "binary_conv"]
    assert model.tensor(model.steps[1], "scale").shape == (2, 3, 1, 20)
    images = random_images(1, (44, 37), seed)
    ours = interpret(model, images)
    outputs, _ = outputs_of_layers(network, images)
    act = torch.from_numpy(ours["act"]).permute(0, 3, 1, 2)
    assert_close(act, outputs["act"], 1e-5)
    # From the same input, both layers add the same integers in the same order.
    x = torch.from_numpy(ours["norm0"]).permute(0, 3, 1, 2)
    expected = network.act(network.norm1(network.conv1(x)) + x).detach()
    assert_close(act, expected, 1e-6)
    features = torch.from_numpy(ours["features"]).permute(0, 3, 1, 2)
    assert torch.equal(features, network.conv2(act).detach())


@pytest.mark.parametrize("seed", range(3))
def test_named_outputs(seed: int) -> None:
    network = randomize(Branches("fp"), seed)
    images = random_images(2, (64, 44), seed)
    model = exported(network)
    values = evaluate(model, images)
    _, theirs = outputs_of_layers(network, images)
    assert model.outputs == ("fine", "coarse")
    for name in model.outputs:
        assert_close(values[name], theirs[name], 1e-5)


@pytest.mark.parametrize("method", ["fp", "rbcn"])
def test_response_of_a_tracker(method: str) -> None:
    torch.manual_seed(3)
    network = randomize(SiamFC(SiamFCConfig({"type": "residual", "method": method})), seed=3)
    model = exported(network.backbone, settings=network.settings())
    exemplar, search = random_images(1, (127, 127), 0), random_images(1, (239, 239), 1)
    ours_z, ours_x = (evaluate(model, images)["features"] for images in (exemplar, search))
    with torch.inference_mode():
        theirs_z, theirs_x = (
            network.embed(torch.from_numpy(images).permute(0, 3, 1, 2).float())
            for images in (exemplar, search)
        )
        theirs = network.respond(network.crop(theirs_z), theirs_x)
        raw = F.conv2d(ours_x, network.crop(ours_z))
    ours = raw * model.settings["response_scale"] + model.settings["response_bias"]
    assert_close(ours, theirs, 1e-4)


class Gated(nn.Module):
    """Constants that are computed of parameters alone, by functions, methods and items."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = QuantConv2d(3, 8, 3)
        self.gate = nn.Parameter(torch.tensor([0.3, -1.2]))
        self.gain = nn.Parameter(torch.linspace(0.5, 2, 8).view(-1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        gate = self.gate.sigmoid()
        return (x * gate[0] + torch.exp(self.gain)) * (1 - gate[1])


def test_what_is_computed_of_parameters_alone_is_a_constant() -> None:
    network = randomize(Gated(), 0)
    images = random_images(1, (9, 7), 0)
    _, theirs = outputs_of_layers(network, images)
    model = exported(network)
    assert_close(evaluate(model, images)["features"], theirs, 1e-6)
    assert [step.op for step in model.steps] == ["conv"]


def test_training_mode_does_not_matter() -> None:
    network = randomize(Plain(), 0)
    before = exported(network).tensors
    after = exported(network.train()).tensors
    assert network.training
    for name, tensor in before.items():
        np.testing.assert_array_equal(tensor, after[name])


def test_same_network_gives_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / name, exported(small_backbone("residual", "rbcn", 0)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("method", PACKED)
def test_file_holds_what_was_exported(tmp_path: Path, method: str) -> None:
    model = exported(
        small_backbone("alexnet", method, 0), settings={"a": [1, 2.5]}, accuracy={"ao": 0.5}
    )
    save(tmp_path / "model", model)
    loaded = load(tmp_path / "model")
    assert (loaded.steps, loaded.settings, loaded.accuracy) == (
        model.steps,
        model.settings,
        model.accuracy,
    )
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], tensor)


# Packing


@pytest.mark.parametrize("channels", [1, 7, 63, 64, 65, 128, 130])
def test_signs_survive_packing(channels: int) -> None:
    rng = np.random.default_rng(channels)
    signs = rng.choice(np.array([-1, 1], np.int8), (5, channels, 3, 2))
    bits = pack_signs(signs)
    assert bits.shape == (3, 2, -(-channels // 64), 5) and bits.dtype == np.uint64
    np.testing.assert_array_equal(unpack_bits(bits, channels), signs)


# Which steps come out


def steps_of(network: nn.Module) -> list[str]:
    return [
        f"{step.output} = {step.op} {', '.join(step.inputs)}"
        + (" slope" * ("slope" in step.tensors))
        for step in exported(network).steps
    ]


@pytest.mark.parametrize("method", BINARY)
def test_steps_of_a_residual_network(method: str) -> None:
    assert steps_of(build_backbone({"type": "residual", "method": method, "blocks": 2})) == [
        "stem_norm = conv image",
        "blocks.0.avg_pool2d = avg_pool stem_norm",
        "blocks.0.cat = concat blocks.0.avg_pool2d, blocks.0.avg_pool2d",
        "blocks.0.act = binary_conv stem_norm, blocks.0.cat slope",
        "blocks.1.act = binary_conv blocks.0.act, blocks.0.act slope",
        "features = conv blocks.1.act",
    ]


def test_steps_of_branches() -> None:
    """The later branch takes the earlier as residual; what is read twice stays by itself."""
    assert steps_of(Branches()) == [
        "norm0 = conv image",
        "norm1 = binary_conv norm0",
        "act = binary_conv norm0, norm1 slope",
        "cat = concat norm0, norm0",
        "norm3 = affine act",
        "add-2 = add cat, norm3",
        "fine = prelu add-2 slope",
        "coarse = avg_pool act",
    ]


def test_steps_of_shifted_activations() -> None:
    """Shifts cost nothing after a convolution; after a pool they are a step of their own."""
    assert steps_of(ReAct()) == [
        "act0 = conv image slope",
        "act1 = binary_conv act0, act0 slope",
        "max_pool2d = max_pool act1",
        "act2.shift = affine max_pool2d",
        "features = prelu act2.shift slope",
    ]
    model = exported(ReAct())
    assert all("shift" in model.steps[i].tensors for i in (0, 1, 4))


class Reused(nn.Module):
    """One convolution that is called twice, and a batch norm whose input something else reads."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, padding="same")
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.conv(self.stem(x)))
        return torch.relu(self.norm(x) + x)


def test_steps_of_a_reused_layer() -> None:
    network = randomize(Reused(), 0)
    assert steps_of(network) == [
        "stem = conv image",
        "conv = conv stem",
        "conv-2 = conv conv",
        "norm = affine conv-2",
        "add = add norm, conv-2",
        "features = prelu add slope",
    ]
    images = random_images(1, (20, 31), 0)
    _, theirs = outputs_of_layers(network, images)
    assert_close(evaluate(exported(network), images)["features"], theirs, 1e-5)


# What has no packed form


class Around(nn.Module):
    """A stem, then whatever a test wants to see refused."""

    def __init__(self, then: Any) -> None:
        super().__init__()
        self.stem = QuantConv2d(3, 8, 3)
        self.then = then if isinstance(then, nn.Module) else None
        self.function = None if isinstance(then, nn.Module) else then
        self.gain = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        return self.then(x) if self.function is None else self.function(self, x)


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (nn.GELU(), r"layer 'then' \(GELU\) after 'stem' has no packed form; expected one of Q"),
        (nn.Sequential(nn.ReLU(), nn.SiLU()), r"layer 'then.1' \(SiLU\) after 'then.0' has no"),
        (nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), "'then' .*padding_mode 'reflect'"),
        (nn.Conv2d(8, 8, 2, padding="same"), "padding 'same' that differs left and right"),
        (nn.BatchNorm2d(8, track_running_stats=False), "no running statistics: train it with"),
        (nn.AvgPool2d(3, 1, 1), "average over padded zeros has no packed form: count_include_pad"),
        (nn.AvgPool2d(2, divisor_override=3), "divisor_override has no packed form"),
        (nn.MaxPool2d(2, dilation=2), "return_indices and dilation have no packed form"),
        (nn.Conv2d(8, 8, 3, stride=300), "network 'random' has no packed form: .* stride: exp"),
        (lambda m, x: x * m.gain, r"layer 'mul' .*a constant of shape \(3,\): expected one number"),
        (lambda m, x: torch.cat([x, m.gain], 1), "layer 'cat' .* reads the parameter 'gain': only"),
        (lambda m, x: m.gain, "Around returns as 'features' what is not a layer's output"),
        (lambda m, x: x.shape, "Around returns as 'features' what is not a layer's output"),
        (lambda m, x: x * x, r"layer 'mul' \(mul\) after .*: the product of two layers has no pac"),
        (lambda m, x: 1 / x, r"layer 'truediv' \(truediv\) .*: division by a layer has no packed"),
        (lambda m, x: x / 0, r"layer 'truediv' .*its scale holds NaN or infinity"),
        (lambda m, x: x.mean(), "layer 'mean' .*mean over None: only height and width"),
        (lambda m, x: x.mean(1, keepdim=True), "layer 'mean' .*mean over 1: only height and width"),
        (lambda m, x: x.clamp(min=0), "layer 'clamp' .*bounds 0 and None: expected two numbers"),
        (lambda m, x: x.view(x.size(0), -1), r"layer 'size' \(size\) .*; no packed form"),
        (lambda m, x: x.flatten(1), "layer 'flatten' .*more than one pixel: pool it before, with"),
        (nn.Linear(8, 2), r"layer 'then' \(Linear\) after 'stem': reads more than one pixel; exp"),
        (nn.AdaptiveAvgPool2d(2), "'then' .*output size 2: only 1, the global mean, has a packed"),
        (nn.Upsample(scale_factor=1.5), "'then' .*scale_factor 1.5: only whole factors have a pa"),
        (nn.Upsample(size=9), "'then' .*a fixed size has no packed form: give scale_factor, or"),
        (nn.Upsample(scale_factor=2, mode="bicubic"), "'then' .*mode 'bicubic': only 'nearest' an"),
        (nn.UpsamplingBilinear2d(scale_factor=2), "'then' .*UpsamplingBilinear2d.* has no packed"),
        (lambda m, x: F.interpolate(x, size=x.shape), "layer 'interpolate' .*a fixed size has no"),
        (lambda m, x: F.interpolate(x, x.shape[1:3]), "'getitem' .*index slice.*: only shape.-2:."),
        (lambda m, x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
         "layer 'interpolate' .*align_corners and antialias have no packed form"),
        (lambda m, x: x.dtype, "layer 'getattr' .*attribute 'dtype' of a tensor has no packed"),
        (lambda m, x: torch.sigmoid(x), r"layer 'sigmoid' \(sigmoid\) after 'stem' has no"),
        (lambda m, x: torch.cat([x, x], 2), "dim=2: only channels .dim=1. can be concatenated"),
        (lambda m, x: torch.add(x, x, alpha=2), r"layer 'add' \(add\) .*alpha.*; no packed form"),
        (lambda m, x: (x, x), "Around returns 2 results; expected features, or a dict of name"),
        (lambda m, x: x if x.sum() > 0 else -x, "Around.forward cannot be traced: .*must not d"),
    ],
)  # fmt: skip
def test_refused(then: Any, message: str) -> None:
    with pytest.raises(ExportError, match=message) as caught:
        exported(Around(then))
    assert "\n" not in str(caught.value)


def test_refused_padding_of_a_float_twin() -> None:
    with pytest.raises(ExportError, match="layer 'conv3' .*pad_value 1 of a real convolution has"):
        exported(Plain("fp", pad_value=1))


def test_refused_without_convolution() -> None:
    with pytest.raises(ExportError, match=r"layer '0' \(BatchNorm2d\) at the input: reads the im"):
        exported(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)))
    with pytest.raises(ExportError, match="returns its input"):
        exported(nn.Identity())


class Pyramid(nn.Module):
    """Features of two levels and a classifier, with every way to write them."""

    def __init__(self, method: str = "bireal", mode: str = "bilinear") -> None:
        super().__init__()
        self.mode = mode
        self.stem, self.norm0 = QuantConv2d(3, 16, 4, 4), nn.BatchNorm2d(16)
        self.down, self.norm1 = BinaryConv2d(16, 16, 3, 2, method=method), nn.BatchNorm2d(16)
        self.twice, self.relu6 = nn.Upsample(scale_factor=(2, 3), mode=mode), nn.ReLU6()
        self.gain = nn.Parameter(torch.tensor(0.7))
        self.register_buffer("offset", torch.linspace(-1, 1, 16).view(1, 16, 1, 1))
        self.pool, self.flat = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.hidden, self.norm2 = nn.Linear(16, 12), nn.BatchNorm1d(12)
        self.classes = nn.Linear(28, 5, bias=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        fine = self.norm0(self.stem(x))
        coarse = self.norm1(self.down(fine))
        larger = F.interpolate(coarse, size=fine.shape[-2:], mode=self.mode)
        pyramid = larger * self.gain - (2 * fine - self.offset) / 3
        bounded = F.hardtanh(-self.twice(pyramid), -0.5, 0.75) + self.relu6(self.twice(fine))
        y = self.flat(self.pool(bounded))
        y = torch.cat([self.norm2(self.hidden(y)).clamp(-1, 1), bounded.mean((-1, -2))], dim=1)
        return {"map": bounded, "scores": self.classes(y)}


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("seed", range(3))
def test_a_pyramid_and_a_classifier(mode: str, seed: int) -> None:
    network = randomize(Pyramid("fp", mode), seed)
    images = random_images(2, (61 + seed, 75), seed)
    model = exported(network)
    values = evaluate(model, images)
    _, theirs = outputs_of_layers(network, images)
    for name in model.outputs:
        expected = theirs[name].reshape(*values[name].shape)
        assert_close(values[name], expected, 1e-5)


def test_a_classifier_is_verified() -> None:
    """Through the runtime, against the results without height and width."""
    network = randomize(Pyramid(), 0)
    assert verify(network, exported(network), (64, 80)) < 1e-5


def test_constants_fold_into_a_convolution() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = QuantConv2d(3, 8, 3)
            self.gain = nn.Parameter(torch.linspace(-1, 1, 8).view(8, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(1 - self.stem(x) * self.gain / 4)

    network = randomize(Scaled(), 0)
    assert steps_of(network) == ["features = conv image slope"]
    images = random_images(1, (19, 26), 0)
    _, theirs = outputs_of_layers(network, images)
    assert_close(evaluate(exported(network), images)["features"], theirs, 1e-5)


def test_refused_second_input() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(ExportError, match="a second input, 'y': expected one image batch"):
        exported(Two())


def test_refused_weights_that_are_not_finite() -> None:
    network = randomize(Plain(), 0)
    with torch.no_grad():
        network.norm2.running_var[3] = float("nan")
    with pytest.raises(ExportError, match=r"'norm2' .*its scale holds NaN or infinity; the train"):
        exported(network)


def test_refused_sizes_that_do_not_fit() -> None:
    class Uneven(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = QuantConv2d(3, 8, 3)
            self.conv = BinaryConv2d(8, 8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            return self.conv(x) + x

    with pytest.raises(ExportError, match="values differ in size: 95x95, 97x97 pixels"):
        exported(Uneven(), settings={"search_size": 99})


@pytest.mark.parametrize("seed", range(3))
def test_batch_norms_fold_into_a_convolution_with_bias(seed: int) -> None:
    """Bias, two batch norms and a PReLU of one slope, all in one step."""
    layers = (nn.Conv2d(3, 12, 3), nn.BatchNorm2d(12), nn.BatchNorm2d(12), nn.PReLU())
    network = randomize(nn.Sequential(*layers), seed)
    model = exported(network)
    assert [step.op for step in model.steps] == ["conv"]
    images = random_images(1, (19, 26), seed)
    _, theirs = outputs_of_layers(network, images)
    assert_close(evaluate(model, images)["features"], theirs, 1e-5)
