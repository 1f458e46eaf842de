"""Backbones: shapes, one module tree for all methods, errors."""

from __future__ import annotations

import pytest
import torch

from binvision.backbones import BACKBONES, build_backbone
from binvision.errors import ConfigError

SMALL = {
    "residual": {"stem_channels": 8, "channels": 16},
    "alexnet": {"width": 1 / 16},
    "staged": {"stem_channels": 8, "channels": (8, 16, 32), "blocks": (0, 1, 2)},
    "tentacles": {"stem_channels": 8, "channels": (8, 16, 32), "blocks": (0, 1, 2)},
    "melius": {"stem_channels": 8, "channels": (8, 8, 16), "blocks": (0, 1, 2), "growth": 8},
    "hourglass": {"stem_channels": 4, "channels": 16, "depth": 2},
    "vgg": {"channels": (8, 12, 16, 4)},
}
SINGLE = ("alexnet", "residual")
PYRAMIDS = ("staged", "melius", "tentacles")


def small(name: str, method: str) -> torch.nn.Module:
    return build_backbone({"type": name, "method": method, **SMALL[name]})


def test_every_backbone_is_tested() -> None:
    assert {*SINGLE, *PYRAMIDS, "hourglass", "vgg"} == set(BACKBONES)


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize(
    "method", ["fp", "activations", "bnn", "xnor", "bireal", "rbcn", "rbcn_matrix", "abc"]
)
def test_trains_in_every_method(name: str, method: str) -> None:
    torch.manual_seed(0)
    net = small(name, method)
    stages = net.stages(torch.randint(0, 256, (2, 3, 127, 127)).float())
    stages[-1].square().mean().backward()
    assert stages[-1].shape[1] == net.out_channels
    for parameter_name, parameter in net.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
    assert torch.equal(
        net.eval()(torch.zeros(1, 3, 127, 127)), net.stages(torch.zeros(1, 3, 127, 127))[-1]
    )


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_float_twin_has_the_same_modules(name: str) -> None:
    twin, binary = small(name, "fp"), small(name, "bnn")
    assert [n for n, _ in twin.named_parameters()] == [n for n, _ in binary.named_parameters()]


@pytest.mark.parametrize(
    ("name", "size", "side"),
    [
        ("residual", 127, 15),
        ("residual", 239, 29),
        ("residual", 255, 31),
        ("alexnet", 127, 6),
        ("alexnet", 255, 22),
    ],
)
def test_feature_sizes(name: str, size: int, side: int) -> None:
    with torch.inference_mode():
        features = small(name, "bireal").eval()(torch.zeros(1, 3, size, size))
    assert features.shape[-2:] == (side, side)


def test_non_square_and_odd_inputs() -> None:
    with torch.inference_mode():
        features = small("residual", "xnor").eval()(torch.zeros(2, 3, 131, 92))
    assert features.shape[0] == 2 and features.shape[-2:] == (16, 11)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"type": "residul", "method": "fp"},
            "unknown backbone 'residul'.*Did you mean 'residual'",
        ),
        (
            {"method": "fp"},
            "unknown backbone None; valid: alexnet, .*, tentacles, vgg",
        ),
        ({"type": "residual", "method": "fp", "depth": 3}, "cannot be built.*depth"),
        ({"type": "residual", "method": "float"}, "unknown binarisation method 'float'"),
    ],
)
def test_errors_name_what_is_valid(config: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_backbone(config)


# Backbones of several resolutions


@pytest.mark.parametrize("extra", [{}, {"block": "react"}, {"blocks": (2, 1, 1)}])
@pytest.mark.parametrize("name", PYRAMIDS)
@pytest.mark.parametrize("method", ["fp", "activations", "bireal", "rbcn"])
def test_levels_train_in_every_method(name: str, method: str, extra: dict[str, object]) -> None:
    if name == "melius" and "block" in extra:
        pytest.skip("it has blocks of its own")
    torch.manual_seed(0)
    net = build_backbone({"type": name, "method": method, **SMALL[name], **extra})
    levels = net.levels(torch.randint(0, 256, (2, 3, 64, 32)).float())
    assert [level.shape[1] for level in levels] == list(net.out_channels)
    assert [(64 // level.shape[2], 32 // level.shape[3]) for level in levels] == [
        (stride, stride) for stride in net.strides
    ]
    torch.stack([level.square().mean() for level in levels]).sum().backward()
    for parameter_name, parameter in net.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name


def test_a_stage_of_no_blocks_is_the_stem() -> None:
    net = small("staged", "bireal").eval()
    pixels = torch.randint(0, 256, (1, 3, 32, 32)).float()
    assert torch.equal(net.levels(pixels)[0], net.stem(pixels))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"block": "resnet"}, "unknown block 'resnet'; valid: .*bireal"),
        ({"block": {"type": "bireal", "branches": 3}}, "block 'bireal': .*branches"),
        ({"channels": (64, 128), "blocks": (1, 1, 1)}, "give a count for each stage"),
        ({"channels": (64, 128), "blocks": (1, 0)}, "at least one block after the first"),
        ({"channels": (64, 192), "blocks": (1, 1)}, "from 64 to 192: only x1 or x2"),
    ],
)
def test_stages_that_do_not_fit_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_backbone({"type": "staged", "method": "bireal", **arguments})


# Branches


@torch.no_grad()
def test_a_linear_layer_on_all_branches_is_the_sum_of_their_layers() -> None:
    torch.manual_seed(0)
    net = build_backbone({"type": "tentacles", "method": "bireal", **SMALL["tentacles"]}).eval()
    pixels = torch.randint(0, 256, (2, 3, 32, 32)).float()
    trunk = net.stages[0](net.stem(pixels))
    maps = []
    for branch in ([net.stages[1], net.stages[2]], *net.others):
        maps.append(branch[1](branch[0](trunk)))
    assert not torch.allclose(maps[0], maps[1])
    head = torch.nn.Linear(net.out_channels[-1], 5, bias=False)
    apart = [
        part.mean((2, 3)) @ weight.t()
        for part, weight in zip(maps, head.weight.split(32, 1), strict=True)
    ]
    torch.testing.assert_close(head(net.levels(pixels)[-1].mean((2, 3))), sum(apart))


@pytest.mark.parametrize("arguments", [{"branches": 0}, {"trunk": 0}, {"trunk": 3}])
def test_a_trunk_without_branches_is_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="expected at least one branch, and a trunk of 1 to 2"):
        build_backbone({"type": "tentacles", "method": "fp", **SMALL["tentacles"], **arguments})


# Layers of any width


@pytest.mark.parametrize("method", ["fp", "xnor", "bireal"])
def test_every_layer_of_vgg_has_its_own_width(method: str) -> None:
    net = build_backbone({"type": "vgg", "method": method, "channels": (8, 12, 5, 20, 6)})
    y = net(torch.randint(0, 256, (2, 3, 20, 12)).float())
    assert y.shape == (2, net.out_channels, 20 // net.stride, 12 // net.stride) == (2, 6, 5, 3)
    assert [block.conv.weight.shape[:2] for block in net.blocks] == [
        (12, 8), (5, 12), (20, 5), (6, 20),
    ]  # fmt: skip
    y.square().mean().backward()
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)


@pytest.mark.parametrize("channels", [(8,), (8, 0)])
def test_vgg_without_layers_is_refused(channels: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="for each of two convolutions or more"):
        build_backbone({"type": "vgg", "method": "fp", "channels": channels})
