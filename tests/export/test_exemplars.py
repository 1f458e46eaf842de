"""Networks that read exemplars: exported, run and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from binvision.binary import QuantConv2d
from binvision.errors import ExportError
from binvision.export import export_model, round_to_eight_bits
from binvision.export.verify import verify
from binvision.runtime import PackedModel, Runner, load, save
from binvision.trackers.box_model import BoxTracker, BoxTrackerConfig
from binvision.trackers.correlation_layers import ChannelCorrelation, PixelCorrelation
from tests.support.torch_networks import random_images, randomize

SIZES = {"exemplar_fine": (7, 7, 128), "exemplar_coarse": (6, 6, 128)}
OUTPUTS = ("score", "box", "fine", "coarse")


def exported(network: nn.Module, **changes: Any) -> PackedModel:
    fields: dict[str, Any] = {
        "name": "n", "task": "tracking/box", "settings": {"search_size": 191}, "provenance": {},
        "accuracy": {}, "exemplars": SIZES, "outputs": OUTPUTS,
    }  # fmt: skip
    return export_model(network, **{**fields, **changes})


@pytest.fixture(scope="module")
def network() -> BoxTracker:
    config = BoxTrackerConfig("bireal", fine_blocks=2, coarse_blocks=2, tower_blocks=1)
    return randomize(BoxTracker(config), 0).eval()


@pytest.mark.parametrize("side", [127, 143])
def test_a_tracker_computes_what_torch_does(network: BoxTracker, tmp_path: Path, side: int) -> None:
    save(tmp_path / "model", exported(network))
    model = load(tmp_path / "model")
    assert (model.outputs, model.exemplars) == (OUTPUTS, SIZES)
    runner = Runner(model, batch=1, size_hw=(side, side))
    for seed in (0, 1):
        image = random_images(1, (side, side), seed)
        rng = np.random.default_rng(seed)
        given = {n: rng.normal(size=size).astype(np.float32) for n, size in SIZES.items()}
        for name, values in given.items():
            runner.set_exemplar(name, values)
        ours = runner(image)
        with torch.inference_mode():
            theirs = network(
                torch.from_numpy(image).permute(0, 3, 1, 2).float(),
                *(torch.from_numpy(given[name]).permute(2, 0, 1)[None] for name in SIZES),
            )
        for name, result in zip(OUTPUTS, theirs, strict=True):
            truth = result.permute(0, 2, 3, 1).numpy()
            assert ours[name].shape == truth.shape
            assert np.abs(ours[name] - truth).max() <= 1e-4 * np.abs(truth).max()
    assert verify(network, model, (side, side)) < 1e-4


def test_a_tracker_of_eight_bits(network: BoxTracker) -> None:
    rng = torch.Generator().manual_seed(0)
    batches = [
        (
            torch.from_numpy(random_images(1, (127, 127), seed)).permute(0, 3, 1, 2),
            torch.randn((1, 128, 7, 7), generator=rng),
            torch.randn((1, 128, 6, 6), generator=rng),
        )
        for seed in (0, 1)
    ]
    rounded = round_to_eight_bits(network, batches)
    assert verify(rounded, exported(rounded), (127, 127)) < 0.05


class Match(nn.Module):
    """One layer, and whatever a test does with it and an exemplar."""

    def __init__(self, then: Any) -> None:
        super().__init__()
        self.stem, self.then = QuantConv2d(3, 4, 3), then
        self.by_channel, self.by_pixel = ChannelCorrelation(), PixelCorrelation()

    def forward(self, image: Tensor, exemplar: Tensor) -> Any:
        """Whatever it is."""
        return self.then(self, self.stem(image), exemplar)


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (lambda m, x, e: x + e, r"layer 'add' .*reads an exemplar, which only correlations can"),
        (lambda m, x, e: m.by_channel(e, x), "'by_channel' .*its exemplar is a layer's output"),
        (lambda m, x, e: m.by_pixel(x, x), "'by_pixel' .*its exemplar is a layer's output; expec"),
        (lambda m, x, e: m.by_channel(e, e), "'by_channel' .*reads an exemplar, which only corr"),
        (lambda m, x, e: e, "Match returns as 'y' what is not a layer's output"),
        (lambda m, x, e: (m.by_channel(x, e), x), "Match returns 2 results; expected y, or a dict"),
        (lambda m, x, e: x, "exemplar 'exemplar': use: expected a step that reads it, got none"),
    ],
)
def test_refused(then: Any, message: str) -> None:
    with pytest.raises(ExportError, match=message) as caught:
        exported(Match(then), exemplars={"exemplar": (3, 3, 4)}, outputs=("y",), settings={})
    assert "\n" not in str(caught.value)


def test_refused_sizes() -> None:
    network = Match(lambda m, x, e: m.by_channel(x, e))
    with pytest.raises(ExportError, match="a second input, 'exemplar': expected one image batch"):
        exported(network, exemplars={}, outputs=("y",))
    with pytest.raises(ExportError, match="channels of the exemplar: expected 4, got 5"):
        exported(network, exemplars={"exemplar": (3, 3, 5)}, outputs=("y",))
