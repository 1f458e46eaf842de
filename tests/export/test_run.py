"""Exported, saved, loaded and run by the real runtime: what PyTorch computed comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from binvision import kernels
from binvision.backbones import BACKBONES
from binvision.binary import METHODS, BinaryConv2d, QuantConv2d
from binvision.errors import ExportError
from binvision.export import export_model
from binvision.export.verify import verify
from binvision.runtime import Runner, load, save
from binvision.trackers.model import SiamFC, SiamFCConfig
from tests.support.torch_networks import (
    fitting,
    outputs_of_layers,
    random_images,
    randomize,
    small_backbone,
)

BINARY = ["bireal", "bnn", "rbcn", "rbcn_matrix", "xnor"]  # of signs alone
PACKED = ["fp", *BINARY]


def through_a_file(network: nn.Module, folder: Path, **settings: Any) -> Any:
    """Export, write and read again."""
    model = export_model(
        network, name="n", task="other", settings=settings, provenance={}, accuracy={}
    )
    save(folder / "model", model)
    return load(folder / "model")


def run(model: Any, images: np.ndarray) -> np.ndarray:
    """Features (N, C, h, w) of uint8 images (N, H, W, 3)."""
    runner = Runner(model, batch=len(images), size_hw=images.shape[1:3])
    return np.transpose(runner(images)["features"], (0, 3, 1, 2)).copy()


@pytest.mark.parametrize("size_hw", [(127, 127), (131, 45), (61, 239)])
@pytest.mark.parametrize(
    "geometry",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1, "groups": 2},
        {"kernel_size": 5, "padding": 4, "dilation": 2},
        {"kernel_size": 1, "groups": 4},
    ],
)
@pytest.mark.parametrize("method", BINARY)
def test_binary_layers_are_equal_to_the_bit(
    tmp_path: Path, method: str, geometry: dict[str, int], size_hw: tuple[int, int]
) -> None:
    """No batch norm: the stem is exact, so every sign, integer and product must be the same."""
    layer = BinaryConv2d(88, 36, method=method, **geometry)
    network = randomize(nn.Sequential(QuantConv2d(3, 88, 5, 3), layer), seed=size_hw[0])
    images = random_images(2, size_hw, seed=1)
    _, theirs = outputs_of_layers(network, images)
    np.testing.assert_array_equal(run(through_a_file(network, tmp_path), images), theirs.numpy())


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_packs(tmp_path: Path, method: str) -> None:
    """To the bit where it comes down to XNOR; in real arithmetic else, or with a clear refusal."""
    torch.manual_seed(1)
    layer = BinaryConv2d(24, 20, 3, padding=1, method=method)
    network = randomize(nn.Sequential(QuantConv2d(3, 24, 5, 3), layer), seed=1)
    images = random_images(1, (64, 47), seed=1)
    if layer.activation is not None and not layer.is_binary:
        with pytest.raises(ExportError, match="real weights on binary activations"):
            through_a_file(network, tmp_path)
        return
    if layer.scale is not None and layer.scale.varies:
        with pytest.raises(ExportError, match="scales each position of the output"):
            through_a_file(network, tmp_path)
        return
    _, theirs = outputs_of_layers(network, images)
    ours = run(through_a_file(network, tmp_path), images)
    if layer.is_binary:
        np.testing.assert_array_equal(ours, theirs.numpy())
    else:
        error = np.abs(ours - theirs.numpy()).max() / theirs.abs().max().item()
        assert error < 1e-5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", PACKED)
@pytest.mark.parametrize("kind", BACKBONES)
def test_whole_backbones(tmp_path: Path, kind: str, method: str, seed: int) -> None:
    network = small_backbone(kind, method, seed)
    model = through_a_file(network, tmp_path)
    size_hw = fitting(network, (127 + 2 * seed, 135 - 4 * seed))
    assert verify(network, model, size_hw) < 0.01


@pytest.mark.parametrize("method", PACKED)
def test_response_of_a_tracker(tmp_path: Path, method: str) -> None:
    """Response map of an exemplar on a search region, to 1e-4 of its greatest value."""
    torch.manual_seed(3)
    network = randomize(SiamFC(SiamFCConfig({"type": "residual", "method": method})), seed=3)
    model = through_a_file(network.backbone, tmp_path, **network.settings())
    exemplar, search = random_images(1, (127, 127), 0), random_images(1, (239, 239), 1)
    with torch.inference_mode():
        theirs_z, theirs_x = (
            network.embed(torch.from_numpy(images).permute(0, 3, 1, 2).float())
            for images in (exemplar, search)
        )
        theirs = network.respond(network.crop(theirs_z), theirs_x)[:, 0].numpy()

    settings = model.settings
    ours_z, ours_x = (
        np.ascontiguousarray(np.transpose(run(model, images), (0, 2, 3, 1)))
        for images in (exemplar, search)
    )
    crop, side = settings["exemplar_crop"], ours_z.shape[1]
    first = (side - crop) // 2
    z = np.ascontiguousarray(ours_z[0, first : first + crop, first : first + crop])
    ours = np.empty(theirs.shape, np.float32)
    kernels.correlate(z, ours_x, ours)
    ours = ours * settings["response_scale"] + settings["response_bias"]
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()
