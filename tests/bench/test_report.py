"""Figures of a report belong together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from binvision.bench import ceiling, contest
from binvision.bench.report import OURS, measure, working_batch
from binvision.bench.table import headline
from binvision.bench.traffic import traffic
from binvision.errors import ModelError, UsageError
from tests.support.networks import NetworkBuilder, residual_network
from tests.support.packed import small_model


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure for milliseconds."""
    monkeypatch.setattr(ceiling, "_ROUND_S", 1e-5)
    monkeypatch.setattr("binvision.bench.report.memory_bandwidth", lambda: 2e10)
    monkeypatch.setattr(contest, "_ROUND_S", 0.0)
    monkeypatch.setattr("binvision.bench.report._PROFILE_RUNS", 2)


def test_figures_add_up() -> None:
    report = measure(residual_network(), size_hw=(47, 47), batch=2, threads=2, profile=True)
    assert (report.batch, report.size_hw, report.threads, report.kernels) == (
        2, (47, 47), 2, report.kernels,
    )  # fmt: skip
    assert math.isclose(sum(step.share for step in report.steps), 1)
    for kind in ("binary_macs", "real_macs"):
        assert sum(getattr(step, kind) for step in report.steps) == getattr(report, kind) > 0
    for step in report.steps:
        macs = step.binary_macs + step.real_macs
        assert math.isclose(step.macs_per_second * step.seconds, macs)
        assert math.isclose(step.bandwidth_share, step.bytes / step.seconds / 2e10)
        assert (step.ceiling_share is None) == (step.op != "binary_conv")
    (ours,) = report.engines
    assert ours.name == OURS and ours.seconds > 0 and report.absent == ()
    assert f"{2 / ours.seconds:.0f} images/s" in headline(report)["whole"]


def test_profile_is_made_when_asked_for() -> None:
    assert measure(small_model(), rounds=1).steps == ()


def test_model_says_its_size_and_batch() -> None:
    settings = {"search_size": 31, "scale_count": 3}
    report = measure(small_model(settings=settings), rounds=1)
    assert (report.batch, report.size_hw) == (3, (31, 31))
    assert working_batch(small_model()) == 1
    with pytest.raises(UsageError, match="small names no image size: give --size HxW, such as"):
        measure(small_model(settings={}))
    with pytest.raises(ModelError, match="give larger images"):
        measure(small_model(), size_hw=(1, 1))


def test_bytes_are_those_that_must_move() -> None:
    net = NetworkBuilder(0)
    x = net.conv("image", 64, 4, stride=4, offset=128)  # 32x32x3 -> 8x8x64
    y = net.binary_conv(x, 128, 3, padding=1, residual=net.concat(x, x))
    z = net.binary_conv(y, 64, 1, slope=False)
    model = net.model(net.pool(z, "avg_pool", 2, 2, ceil=False))
    moved = traffic(model, (32, 32))
    image, pixels = 32 * 32 * 3, 8 * 8
    assert moved["image", "copy"] == 2 * image
    stem = image + 4 * 4 * 3 * 64 + 4 * pixels * 64 + 8 * pixels
    assert moved[x, "conv"] == stem  # image, weights, floats for the residual, signs for y
    first = 8 * pixels + 8 * 9 * 128 + 4 * pixels * 128 + 8 * pixels * 2
    assert moved[y, "binary_conv"] == first  # signs, weights, residual, signs for z; no floats
    assert moved[z, "binary_conv"] == 8 * pixels * 2 + 8 * 2 * 64 + 4 * pixels * 64
    assert moved["avg_pool4", "avg_pool"] == 4 * pixels * 64 + 4 * 16 * 64
    assert moved["concat1", "concat"] == 4 * pixels * (64 + 64 + 128)


def test_report_against_an_engine() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    report = measure(small_model(), size_hw=(31, 31), rounds=1, against=["torch"])
    torch.set_num_threads(before)
    assert [figure.name for figure in report.engines] == [OURS, "torch fp32", "torch bf16"]
    assert all(np.isfinite(figure.error) for figure in report.engines)
