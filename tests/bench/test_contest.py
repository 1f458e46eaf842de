"""Engines compute the twin, and nobody is timed who computes something else."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest

from binvision.bench import contest
from binvision.bench.contest import Absent, Contestant, Subject, contestants, race
from binvision.errors import UsageError
from binvision.runtime import PackedModel
from tests.support.networks import NetworkBuilder, residual_network
from tests.support.packed import small_model

PACKAGES = {
    "torch": ["torch"],
    "onnxruntime": ["onnx", "onnxruntime"],
    "openvino": ["openvino"],
    "litert": ["ai_edge_litert"],
}
NAMES = {
    "torch": ["torch fp32", "torch bf16"],
    "onnxruntime": ["onnxruntime fp32", "onnxruntime int8"],
    "openvino": ["openvino fp32", "openvino int8", "openvino xnor"],
    "litert": ["litert int8"],
}


def grouped() -> PackedModel:
    net = NetworkBuilder(4)
    x = net.pool(net.conv("image", 64, 5, stride=2, offset=128), "max_pool", 3, 2, ceil=False)
    return net.model(net.binary_conv(x, 64, 3, stride=2, padding=1, groups=2, slope=False))


def sums() -> PackedModel:
    net = NetworkBuilder(4)
    x = net.conv("image", 64, 5, stride=2, offset=128)
    return net.model(net.binary_conv(x, 64, 3, padding=1, planes=2, bases=3, per_tap=True))


def neck() -> PackedModel:
    """What a detector has: coarse values brought to the size of finer ones."""
    net = NetworkBuilder(4)
    x = net.conv("image", 64, 5, stride=2, padding=2, offset=128)
    y = net.upsample(net.binary_conv(x, 64, 3, stride=2, padding=1), "nearest", 2)
    z = net.binary_conv(net.add(x, y), 64, 3, padding=1)
    return net.model(net.conv(z, 6, 1, dtype="float32"))


def sizes() -> PackedModel:
    """Other enlargements, bounds, and the mean of a picture."""
    net = NetworkBuilder(4)
    x = net.conv("image", 64, 5, stride=2, offset=128)
    y = net.upsample(net.pool(x, "max_pool", 3, 2, ceil=False), "nearest", like=x)
    y = net.upsample(net.clip(y, -1, 1), "bilinear", 2)
    mean = net.global_avg_pool(net.binary_conv(x, 64, 1))
    return net.model(net.conv(y, 6, 1, dtype="float32"), net.conv(mean, 8, 1, dtype="float32"))


def subject_of(model: PackedModel, side: int) -> Subject:
    pictures = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    return Subject.of(model, pictures)


@pytest.fixture
def threads() -> None:
    """Engines hold torch to one thread; other tests get theirs back."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("engine", contest.ENGINES)
@pytest.mark.parametrize(
    ("make", "side"),
    [
        (residual_network, 47),
        (grouped, 43),
        (small_model, 31),
        (sums, 31),
        (neck, 32),
        (sizes, 31),
    ],
    ids=["residual", "grouped", "small", "sums", "neck", "sizes"],
)
def test_engines_compute_the_twin(
    engine: str, make: Callable[[], PackedModel], side: int, threads: None
) -> None:
    for package in PACKAGES[engine]:
        pytest.importorskip(package)
    made = list(contestants(subject_of(make(), side), [engine], threads=1))
    assert [one.name for one in made] == NAMES[engine]
    absent = [one for one in made if isinstance(one, Absent)]
    lack = {("litert", sizes): ["step 'upsample2' enlarges otherwise than by repeating pixels"]}
    reasons = [one.reason for one in absent if one.name != "openvino xnor"]
    assert reasons == lack.get((engine, make), [])
    figures, wrong = race([one for one in made if one not in absent], 1, 8, round_s=0)
    assert wrong == []
    assert all(0 < figure.fastest <= figure.seconds <= figure.slowest for figure in figures)
    if engine == "openvino":
        lacks = {
            grouped: "groups, as step 'binary_conv2'",
            sums: "sums of bases, as step 'binary_conv1'",
            small_model: "right result for 70 channels, as step 'block'",
        }
        if make in lacks:
            what = [f"its BinaryConvolution has no {lacks[make]} has"]
        elif openvino_has_xnor():
            what = []
        else:
            what = ["its BinaryConvolution is at fault on CPUs without AVX-512"]
        assert [one.reason for one in absent] == what


def openvino_has_xnor() -> bool:
    from binvision.bench.openvino import has_avx512

    return has_avx512()


def test_openvino_xnor_gives_the_packed_models_integers(threads: None) -> None:
    """Scale 1, bias 0: sums of signs, zero padding and both signs of padding, every one exact."""
    pytest.importorskip("openvino")
    if not openvino_has_xnor():
        pytest.skip("OpenVINO's BinaryConvolution is at fault on CPUs without AVX-512")
    for pad_value in (0, 1, -1):
        net = NetworkBuilder(1)
        x = net.conv("image", 72, 3, stride=2, offset=128)
        y = net.binary_conv(x, 20, 3, padding=1, slope=False)
        net.tensors[f"{y}.scale"][:], net.tensors[f"{y}.bias"][:] = 1, 0
        net.steps[-1].attrs["pad_value"] = pad_value
        subject = subject_of(net.model(y), 31)
        xnor = list(contestants(subject, ["openvino"], 1))[2]
        assert isinstance(xnor, Contestant)
        np.testing.assert_array_equal(xnor.run()[0], subject.packed_values[y])


def test_steps_that_an_engine_lacks_are_named() -> None:
    pytest.importorskip("ai_edge_litert")
    net = NetworkBuilder(0)
    x = net.conv("image", 8, 3, stride=2)
    model = net.model(net.concat(x, net.prelu(x)))
    (absent,) = contestants(subject_of(model, 23), ["litert"], 1)
    assert absent == Absent("litert int8", "step 'concat2' joins values of different scales")


def test_absent_engines_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    load = contest.importlib.import_module

    def without_openvino(name: str) -> object:
        if name.endswith(".openvino"):
            raise ModuleNotFoundError("No module named 'openvino'", name="openvino")
        return load(name)

    monkeypatch.setattr(contest.importlib, "import_module", without_openvino)
    (absent,) = contestants(subject_of(grouped(), 43), ["openvino"], 1)
    assert isinstance(absent, Absent)
    assert absent.reason.startswith('not installed: pip install "binvision[bench]" (No module')


def test_unknown_engines() -> None:
    with pytest.raises(UsageError, match="engine 'tvm': expected some of torch, onnxruntime, op"):
        list(contestants(subject_of(grouped(), 43), ["tvm"], 1))


@pytest.mark.parametrize("answer", [0.0, 1.2, math.nan, math.inf])
def test_wrong_results_are_not_timed(answer: float) -> None:
    truth = [np.ones((1, 2, 2, 3), np.float32)]
    right = Contestant("right", lambda: truth, truth, 0.1)
    liar = Contestant("liar", lambda: [answer * truth[0]], truth, 0.1)
    figures, wrong = race([right, liar], 2, 1, round_s=0)
    assert [figure.name for figure in figures] == ["right"]
    assert [one.name for one in wrong] == ["liar"]
    assert wrong[0].reason.startswith("wrong result: error ")


def test_times_are_medians_of_rounds_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, order, costs = [0.0], [], {"a": iter([9, *[1, 1, 2, 2, 7, 7]]), "b": iter([9] + 6 * [3])}

    def runner(name: str) -> Contestant:
        def run() -> list[np.ndarray]:
            order.append(name)
            clock[0] += next(costs[name])
            return [np.ones(1)]

        return Contestant(name, run, [np.ones(1)], 0.1)

    monkeypatch.setattr(contest, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(contest, "process_time", lambda: 0.5 * clock[0])
    a, b = race([runner("a"), runner("b")], 3, 1, round_s=0)[0]
    assert (a.seconds, a.fastest, a.slowest, a.cores) == (2, 1, 7, 0.5)
    assert (b.seconds, b.fastest, b.slowest) == (3, 3, 3)
    assert "".join(order) == "ab" + "aabb" * 3


def test_who_takes_more_threads_than_allowed_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "process_time", lambda: 2 * perf_counter())
    truth = [np.ones(1)]
    greedy = Contestant("greedy", lambda: truth, truth, 0.1)
    assert race([greedy], 1, 2, round_s=0.001)[1] == []
    (out,) = race([greedy], 1, 1, round_s=0.001)[1]
    assert out == Absent("greedy", "used 2.0 cores where 1 were allowed")


def test_contest_needs_no_engine_to_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def no_engine(name: str, *arguments: object) -> object:
        assert name.partition(".")[0] not in {"torch", "onnx", "onnxruntime", "openvino"}
        return load(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", no_engine)
    subject = subject_of(grouped(), 43)
    assert set(subject.twin_values) >= set(subject.packed_values)
