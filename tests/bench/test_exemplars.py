"""Models with exemplars are measured like others, in every engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from binvision.bench import ceiling, contest
from binvision.bench.exemplars import random_exemplars, with_exemplars
from binvision.bench.reference import evaluate
from binvision.bench.report import OURS, measure
from binvision.runtime import PackedModel, Step
from binvision.runtime.account import account
from tests.support import reference
from tests.support.networks import NetworkBuilder


def matcher() -> PackedModel:
    """Both correlations of a convolution with exemplars, joined by another."""
    net = NetworkBuilder(4)
    x = net.conv("image", 20, 3, stride=2, offset=128)
    model = net.model(net.conv(x, 6, 1, dtype="float32"), x)
    *first, last = model.steps
    steps = (
        *first,
        Step("correlate_channels", "channels", (x, "wide"), "channels", {"stride": (2, 1)}),
        Step("correlate_pixels", "pixels", (x, "small"), "pixels"),
        last,
    )
    return replace(
        model,
        steps=steps,
        outputs=(*model.outputs, "channels", "pixels"),
        exemplars={"wide": (3, 5, 20), "small": (2, 4, 20)},
    )


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure for milliseconds."""
    monkeypatch.setattr(ceiling, "_ROUND_S", 1e-5)
    monkeypatch.setattr("binvision.bench.report.memory_bandwidth", lambda: 2e10)
    monkeypatch.setattr(contest, "_ROUND_S", 0.0)
    monkeypatch.setattr("binvision.bench.report._PROFILE_RUNS", 2)


def test_correlations_are_convolutions_with_known_weights() -> None:
    model = matcher()
    images = np.random.default_rng(0).integers(0, 256, (2, 23, 31, 3), dtype=np.uint8)
    exemplars = random_exemplars(model)
    truth = reference.interpret(model, images, exemplars)
    found = evaluate(with_exemplars(model, exemplars), images)
    for name in ("channels", "pixels"):
        np.testing.assert_allclose(found[name], truth[name], rtol=1e-4, atol=1e-4)


def test_macs_of_correlations_are_real() -> None:
    costs = {cost.name: cost for cost in account(matcher(), (23, 31))}
    height, width, channels = costs["conv0"].shape_hwc or (0, 0, 0)
    assert (height, width, channels) == (11, 15, 20)
    assert costs["channels"].real_macs == 6 * 15 * 3 * 5 * 20
    assert costs["pixels"].real_macs == 11 * 15 * 8 * 20
    assert costs["channels"].binary_macs == costs["pixels"].real_parameters == 0


def test_figures_add_up() -> None:
    report = measure(matcher(), size_hw=(23, 31), rounds=1, profile=True)
    (ours,) = report.engines
    assert ours.name == OURS and ours.error == 0
    assert sum(step.real_macs for step in report.steps) == report.real_macs > 0
    assert {"channels", "pixels"} <= {step.step for step in report.steps}


def test_other_engines_are_given_the_same_exemplars() -> None:
    pytest.importorskip("torch")
    report = measure(matcher(), size_hw=(23, 31), rounds=1, against=["torch"])
    assert [figure.name for figure in report.engines] == [OURS, "torch fp32", "torch bf16"]
    assert report.engines[0].error < 1e-5
