"""Fully connected 1-bit layers and shift-based norms through a packed file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from binvision.binary import BinaryConv2d, BinaryLinear, QuantConv2d, ShiftBatchNorm2d
from binvision.errors import ExportError
from tests.export.test_run import run, through_a_file
from tests.support.torch_networks import outputs_of_layers, random_images, randomize


@pytest.mark.parametrize("method", ["bdnn", "bitwise", "xnor", "abc", "bwn"])
def test_fully_connected(tmp_path: Path, method: str) -> None:
    torch.manual_seed(1)
    network = nn.Sequential(
        QuantConv2d(3, 40, 5, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.BatchNorm1d(40),
        BinaryLinear(40, 90, method=method),
        nn.BatchNorm1d(90),
        BinaryLinear(90, 7, method=method),
    )
    randomize(network, 1)
    images = random_images(2, (31, 47), seed=1)
    _, theirs = outputs_of_layers(network, images)
    ours = run(through_a_file(network, tmp_path), images)[:, :, 0, 0]
    assert isinstance(theirs, torch.Tensor)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-5 * theirs.abs().max().item())


def test_fully_connected_needs_one_pixel(tmp_path: Path) -> None:
    network = nn.Sequential(QuantConv2d(3, 4, 5, 3), nn.Flatten(), BinaryLinear(4, 2)).eval()
    with pytest.raises(ExportError, match="one pixel"):
        through_a_file(network, tmp_path)


def test_shift_norms(tmp_path: Path) -> None:
    network = nn.Sequential(
        QuantConv2d(3, 24, 5, 3),
        ShiftBatchNorm2d(24),
        BinaryConv2d(24, 20, 3, padding=1, method="bdnn"),
        ShiftBatchNorm2d(20),
        nn.PReLU(20),
    )
    randomize(network, 2)
    images = random_images(1, (64, 47), seed=2)
    _, theirs = outputs_of_layers(network, images)
    assert isinstance(theirs, torch.Tensor)
    ours = run(through_a_file(network, tmp_path), images)
    wrong = np.abs(ours - theirs.numpy()) > 1e-4 * theirs.abs().max().item()
    assert wrong.mean() < 0.01  # but for signs of sums that round to either side of zero
