"""The proof at the end of an export notices what is wrong and lets rounding pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from binvision.errors import ExportError
from binvision.export import export_model
from binvision.export.verify import verify
from binvision.runtime import PackedModel
from tests.support.torch_networks import Branches, Plain, random_images, randomize

NOTHING: dict[str, object] = {"settings": {}, "provenance": {}, "accuracy": {}}


def pair(seed: int = 0) -> tuple[Plain, PackedModel]:
    network = randomize(Plain(), seed)
    return network, export_model(network, name="plain", task="other", **NOTHING)


def test_equal_networks_pass() -> None:
    assert verify(*pair(), (95, 81)) < 1e-5


def test_several_outputs_pass() -> None:
    network = randomize(Branches(), 0)
    model = export_model(network, name="branches", task="other", **NOTHING)
    assert verify(network, model, (64, 48)) < 1e-5


def test_pictures_that_a_network_is_meant_for() -> None:
    """Each of its own size; most of them decide."""
    network, model = pair()
    pictures = [random_images(1, size_hw, 0) for size_hw in [(95, 81), (40, 64), (64, 40)]]
    assert verify(network, model, (8, 8), pictures) < 1e-5
    wrong = np.roll(model.tensors["stem.bias"], 1, axis=-1)
    broken = replace(model, tensors={**model.tensors, "stem.bias": wrong})
    with pytest.raises(ExportError, match="packed and PyTorch results differ"):
        verify(network, broken, (8, 8), pictures)


@pytest.mark.parametrize("role", ["stem.bias", "conv2.scale", "conv3.bits", "head.weight"])
def test_a_wrong_tensor_is_noticed(role: str) -> None:
    network, model = pair()
    wrong = np.roll(model.tensors[role], 1, axis=-1)
    broken = replace(model, tensors={**model.tensors, role: wrong})
    with pytest.raises(ExportError, match="packed and PyTorch results differ: 'features' by"):
        verify(network, broken, (95, 81))


def test_nan_is_noticed() -> None:
    network, model = pair()
    bias = np.full_like(model.tensors["head.bias"], np.nan)
    broken = replace(model, tensors={**model.tensors, "head.bias": bias})
    with pytest.raises(ExportError, match="differ: 'features' by nan"):
        verify(network, broken, (95, 81))
