"""Whole networks through the runner, against the plain NumPy interpreter of the steps."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binvision.errors import FrameError, ModelError, UsageError
from binvision.runtime import PackedModel, Runner
from binvision.runtime.fusion import fuse
from binvision.runtime.plan import make_plan
from tests.support.networks import NetworkBuilder, alexnet, residual_network
from tests.support.packed import small_model
from tests.support.patience import patience
from tests.support.reference import interpret


def images(batch: int, size_hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (batch, *size_hw, 3), dtype=np.uint8)


def assert_agrees(ours: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> None:
    for name, array in ours.items():
        assert array.dtype == np.float32 and array.shape == truth[name].shape
        scale = max(1.0, float(np.abs(truth[name]).max()))
        np.testing.assert_allclose(array, truth[name], rtol=0, atol=1e-5 * scale)


class Graphs(NetworkBuilder):
    """Random graphs whose signs never hang on a rounding: every value before one is exact.

    Real convolutions of floats stand only where no sign follows; all other operations round as
    NumPy does, so the interpreter and the runner must agree on every bit.
    """

    def grow(self, draw: st.DrawFn) -> PackedModel:
        count = st.one_of(st.integers(1, 80), st.sampled_from([64, 128]))
        values = [
            self.conv(
                "image", draw(count), draw(st.integers(1, 5)), stride=draw(st.integers(1, 2)),
                padding=draw(st.integers(0, 2)), offset=draw(st.sampled_from([0, 128])),
                slope=draw(st.booleans()),
            )
        ]  # fmt: skip
        for _ in range(draw(st.integers(1, 7))):
            x = draw(st.sampled_from(values))
            values.append(self._any_step(draw, x, values))
        read = {name for step in self.steps for name in step.inputs}
        outputs = [value for value in values if value not in read]
        outputs = sorted({*outputs, *draw(st.lists(st.sampled_from(values), max_size=1))})
        if draw(st.booleans()):
            outputs.append(self.conv(values[-1], draw(count), 3, dtype="float32", padding=1))
            outputs = [name for name in outputs if name != values[-1]]
        return self.model(*outputs)

    def _any_step(self, draw: st.DrawFn, x: str, values: list[str]) -> str:
        # Every step after the first keeps height and width, so channels alone decide what fits.
        alike = [value for value in values if self.channels[value] == self.channels[x]]
        kinds = ["binary", "binary", "residual", "terms", "max", "concat", "add", "point"]
        kinds += ["block", "block", "dense", "hourglass"]
        kind = draw(st.sampled_from(kinds))
        if kind == "binary":
            groups = 2 if self.channels[x] % 2 == 0 and draw(st.booleans()) else 1
            outputs = groups * draw(st.integers(1, 40))
            y = self.binary_conv(
                x, outputs, 3, stride=1, padding=1, groups=groups, slope=draw(st.booleans())
            )
        elif kind == "residual":
            residual = draw(st.sampled_from(alike))
            pad_value = draw(st.sampled_from([None, 0, 1, -1]))
            y = self.binary_conv(
                x, self.channels[x], 3, padding=2, dilation=2, residual=residual,
                pad_value=pad_value,
            )  # fmt: skip
        elif kind == "terms":
            count = st.integers(1, 3)
            y = self.binary_conv(
                x, draw(st.integers(1, 40)), 3, padding=1, planes=draw(count), bases=draw(count),
                per_tap=draw(st.booleans()), pad_value=draw(st.sampled_from([None, 1, -1])),
            )  # fmt: skip
        elif kind == "block":
            y = self._block(draw, x, alike)
        elif kind == "dense":
            new = self.binary_conv(x, draw(st.sampled_from([5, 64])), 3, padding=1)
            both = self.concat(x, new)
            y = self.binary_conv(both, self.channels[new], 3, padding=1, residual=new)
            y = self.concat(x, y)
        elif kind == "hourglass":
            low = self.pool(x, "max_pool", 2, 2, ceil=True)
            if draw(st.booleans()):
                low = self.binary_conv(low, self.channels[x], 3, padding=1)
            pair = [self.upsample(low, "nearest", like=x), draw(st.sampled_from(alike))]
            y = self.add(*draw(st.permutations(pair)))
        elif kind == "max":
            y = self.pool(x, "max_pool", 3, 1, 1, ceil=draw(st.booleans()))
        elif kind == "concat":
            y = self.concat(x, draw(st.sampled_from(values)))
        elif kind == "add":
            y = self.add(x, draw(st.sampled_from(alike)))
        else:
            y = draw(st.sampled_from([self.prelu, self.affine, lambda x: self.clip(x, -1, 2)]))(x)
        return y

    def _block(self, draw: st.DrawFn, x: str, alike: list[str]) -> str:
        """Convolutions in a row, all of whose outputs are concatenated and added to a value."""
        total = self.channels[x] * draw(st.integers(1, 2))
        half, quarter = total // 2, total // 4
        widths = draw(st.sampled_from([(total,), (half, quarter, total - half - quarter)]))
        widths = [width for width in widths if width]
        parts = [x]
        for width in widths:
            residual = parts[-1] if self.channels[parts[-1]] == width else None
            residual = residual if draw(st.booleans()) else None
            parts.append(self.binary_conv(parts[-1], width, 3, padding=1, residual=residual))
        joined = self.concat(*parts[1:]) if len(parts) > 2 or draw(st.booleans()) else parts[1]
        others = [value for value in alike if self.channels[value] == sum(widths)]
        if 2 * self.channels[x] == sum(widths):
            others.append(self.concat(x, x))
        if not others:
            return joined
        return self.add(*draw(st.permutations([joined, draw(st.sampled_from(others))])))


@settings(max_examples=40, deadline=None, print_blob=True)
@given(data=st.data())
def test_random_graphs(data: st.DataObject) -> None:
    model = Graphs(data.draw(st.integers(0, 2**16))).grow(data.draw)
    batch, size_hw = data.draw(st.integers(1, 2)), (data.draw(st.integers(5, 12)), 9)
    truth = [interpret(model, images(batch, size_hw, seed)) for seed in (0, 1)]
    runner = Runner(model, batch=batch, size_hw=size_hw, threads=data.draw(st.integers(1, 2)))
    for seed in (0, 1, 0):
        assert_agrees(runner(images(batch, size_hw, seed)), truth[seed])


@pytest.mark.parametrize("threads", [1, 3])
def test_every_operation(threads: int) -> None:
    model = small_model()
    x = images(2, (63, 50))
    assert_agrees(Runner(model, batch=2, size_hw=(63, 50), threads=threads)(x), interpret(model, x))


@pytest.mark.parametrize(("network", "side"), [(residual_network, 67), (alexnet, 87)])
def test_networks(network, side: int) -> None:
    model = network()
    x = images(1, (side, side + 8))
    assert_agrees(Runner(model, batch=1, size_hw=(side, side + 8))(x), interpret(model, x))


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize(("padding", "offset"), [(0, 0), (2, 127.5), (1, 128)])
def test_first_convolutions(dtype: str, padding: int, offset: float) -> None:
    net = NetworkBuilder()
    x = net.conv("image", 20, 3, dtype=dtype, padding=padding, offset=offset)
    model = net.model(net.conv(x, 6, 3, padding=1, groups=2, offset=0.5, residual=None))
    batch = images(2, (11, 8))
    assert_agrees(Runner(model, batch=2, size_hw=(11, 8))(batch), interpret(model, batch))


@pytest.mark.parametrize("vector", [True, False])
@pytest.mark.parametrize("channels", [6, 16, 70])
def test_convolutions_of_eight_bit_levels(channels: int, vector: bool) -> None:
    net = NetworkBuilder(channels)
    x = net.conv("image", channels, 3, offset=128)
    wide = net.conv(x, 20, 3, levels=True, padding=1, stride=2, groups=2, slope=True)
    point = net.conv(x, channels, 1, levels=True, residual=x)
    model, batch = net.model(wide, point), images(2, (11, 8))
    plan = make_plan(model, 2, (11, 8), vector=vector)
    plan.image[:] = batch
    for task in plan.tasks:
        task.run(0, task.rows)
    truth = interpret(model, batch)
    levels = truth[x] * model.tensors[f"{wide}.levels"]
    assert levels.max() > 128 and levels.min() < -129  # some are clipped
    for name, array in plan.outputs.items():
        np.testing.assert_array_equal(array, truth[name])


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_pyramid(mode: str, threads: int) -> None:
    """Coarse features enlarged by a factor and to the size of others; then a classifier."""
    net = NetworkBuilder()
    fine = net.conv("image", 20, 3, stride=2, padding=1)
    coarse = net.binary_conv(fine, 20, 3, stride=2, padding=1)
    pyramid = net.add(net.upsample(coarse, mode, like=fine), fine)
    larger = net.clip(net.upsample(pyramid, mode, factor=3), -0.5, 6)
    scores = net.conv(net.global_avg_pool(larger), 7, 1, dtype="float32")
    model, batch = net.model(scores, larger), images(2, (21, 14))
    runner = Runner(model, batch=2, size_hw=(21, 14), threads=threads)
    assert_agrees(runner(batch), interpret(model, batch))


def test_the_size_of_a_value_needs_no_floats() -> None:
    """A layer between signs stays so, even where its size tells another how far to grow."""
    net = NetworkBuilder()
    x = net.conv("image", 8, 3, padding=1)
    y = net.binary_conv(net.binary_conv(x, 64, 3, padding=1), 8, 3, stride=2)
    model = net.model(net.upsample(y, "nearest", like="binary_conv1"))
    batch = images(1, (12, 9))
    assert "binary_conv1" not in fuse(model).last_float_use
    assert_agrees(Runner(model, batch=1, size_hw=(12, 9))(batch), interpret(model, batch))


def test_images_larger_than_any_memory() -> None:
    net = NetworkBuilder()
    x = net.conv("image", 64, 1)
    for _ in range(3):
        x = net.upsample(x, "nearest", factor=16)
    with pytest.raises(ModelError, match="'upsample2' .* would have 12800x12800x64 elements, exp"):
        Runner(net.model(x), batch=1, size_hw=(50, 50))


def test_residual_of_its_own_input() -> None:
    """A real convolution that adds its own input may not write over it."""
    net = NetworkBuilder()
    x = net.conv("image", 32, 1, offset=128)
    model = net.model(net.conv(x, 32, 1, dtype="float32", residual=x, slope=True))
    batch = images(1, (9, 9))
    assert_agrees(Runner(model, batch=1, size_hw=(9, 9))(batch), interpret(model, batch))


@pytest.mark.parametrize("network", [residual_network, alexnet])
def test_threads_give_the_same_bits(network) -> None:
    model, x = network(), images(2, (95, 103))
    one, *others = [
        {k: v.copy() for k, v in Runner(model, batch=2, size_hw=(95, 103), threads=n)(x).items()}
        for n in (1, 2, 5)
    ]
    for other in others:
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name])


@pytest.mark.parametrize("network", [residual_network, alexnet])
def test_plain_loops_agree(network) -> None:
    model, x = network(), images(1, (87, 87))
    plan = make_plan(model, 1, (87, 87), vector=False)
    plan.image[:] = x
    for task in plan.tasks:
        task.run(0, task.rows)
    assert_agrees(plan.outputs, interpret(model, x))


def test_a_chain_of_signs_computes_no_floats() -> None:
    """Without a residual and other readers, a 1-bit layer owns no memory for floats."""

    def bytes_of(*, read_floats: bool) -> int:
        net = NetworkBuilder()
        x = net.conv("image", 64, 3)
        y = net.binary_conv(x, 70, 3, padding=1)
        outputs = [net.binary_conv(y, 8, 3, groups=2)]
        return Runner(net.model(*outputs, *[y] * read_floats), batch=1, size_hw=(42, 42)).bytes

    assert bytes_of(read_floats=True) - bytes_of(read_floats=False) == 40 * 40 * 70 * 4


@settings(max_examples=20, deadline=None, print_blob=True)
@given(data=st.data())
def test_chains_of_signs(data: st.DataObject) -> None:
    """Exactly the bits of the float formula, whatever the slopes, scales and sizes."""
    net = NetworkBuilder(data.draw(st.integers(0, 2**16)))
    x = net.conv("image", data.draw(st.integers(1, 20)), 3, stride=2)
    for _ in range(data.draw(st.integers(2, 4))):
        groups = 2 if net.channels[x] % 2 == 0 and data.draw(st.booleans()) else 1
        outputs = groups * data.draw(st.integers(1, 70))
        slope = data.draw(st.booleans())
        pad_value = data.draw(st.sampled_from([None, 1, -1]))
        x = net.binary_conv(
            x, outputs, 3, padding=1, groups=groups, slope=slope, pad_value=pad_value
        )
    model, batch = net.model(x), images(2, (17, 12))
    ours = Runner(model, batch=2, size_hw=(17, 12), threads=data.draw(st.integers(1, 3)))(batch)
    assert_agrees(ours, interpret(model, batch))


def test_runners_in_threads_do_not_mix() -> None:
    """Four runners of two networks, two of them with helpers, in four threads at once."""
    cases = [
        (network(), images(1, (95, 95), seed), threads)
        for seed, (network, threads) in enumerate(product((residual_network, alexnet), (1, 2)))
    ]
    runners = [Runner(model, batch=1, size_hw=(95, 95), threads=n) for model, _, n in cases]
    alone = [_copied(runner(x)) for runner, (_, x, _) in zip(runners, cases, strict=True)]

    def work(index: int) -> None:
        for _ in range(10):
            _assert_same(runners[index](cases[index][1]), alone[index])

    _in_threads(work, range(4))


def test_one_runner_called_from_several_threads() -> None:
    """Helpers serve whichever thread calls; a result is valid until the next call."""
    runner = Runner(residual_network(), batch=1, size_hw=(95, 95), threads=2)
    inputs = [images(1, (95, 95), seed) for seed in range(3)]
    alone = [_copied(runner(x)) for x in inputs]
    turn = threading.Lock()

    def work(index: int) -> None:
        for _ in range(10):
            with turn:
                _assert_same(runner(inputs[index]), alone[index])

    _in_threads(work, range(3))


def test_runners_are_made_in_several_threads_at_once() -> None:
    """Planning shares nothing either: neither buffers nor half compiled kernels."""
    x = images(1, (95, 95))
    truth = _copied(Runner(residual_network(), batch=1, size_hw=(95, 95))(x))

    def work(_: int) -> None:
        for _ in range(3):
            _assert_same(Runner(residual_network(), batch=1, size_hw=(95, 95))(x), truth)

    _in_threads(work, range(4))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_process_plans_anew_and_does_not_hang(threads: int) -> None:
    limit = int(patience(60))
    code = f"""
import os, signal, sys
import numpy as np
from binvision.runtime import Runner
from tests.support.networks import residual_network
signal.alarm({2 * limit})
x = np.random.default_rng(0).integers(0, 256, (1, 63, 63, 3), dtype=np.uint8)
model = residual_network()
runner = Runner(model, batch=1, size_hw=(63, 63), threads={threads})
truth = {{k: v.copy() for k, v in runner(x).items()}}
child = os.fork()
if child == 0:
    signal.alarm({limit})
    for again in (runner, Runner(model, batch=1, size_hw=(63, 63), threads={threads})):
        for name, array in again(x).items():
            assert np.array_equal(array, truth[name]), name
    sys.exit(0)
_, status = os.waitpid(child, 0)
print("child", os.waitstatus_to_exitcode(status))
assert all(np.array_equal(v, truth[k]) for k, v in runner(x).items())
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=root, capture_output=True, text=True
    )
    assert done.stdout == "child 0\n", done.stdout + done.stderr
    assert done.returncode == 0, done.stderr


def _copied(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in outputs.items()}


def _assert_same(outputs: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> None:
    for name, array in outputs.items():
        np.testing.assert_array_equal(array, truth[name])


def _in_threads(work: Callable[[int], None], indices: range) -> None:
    """Run ``work`` of each index in a thread of its own; pass on what went wrong."""
    with ThreadPoolExecutor(len(indices)) as pool:
        list(pool.map(work, indices))


def test_helper_threads_end_with_the_runner() -> None:
    before = threading.active_count()
    runner = Runner(small_model(), batch=1, size_hw=(63, 63), threads=3)
    assert threading.active_count() == before + 2
    del runner
    deadline = threading.Event()
    for _ in range(200):
        if threading.active_count() == before:
            break
        deadline.wait(0.01)
    assert threading.active_count() == before


def test_images_may_be_views() -> None:
    model, x = residual_network(), images(1, (95, 190))
    runner = Runner(model, batch=1, size_hw=(95, 95))
    strided = runner(x[:, :, ::2])
    first = {name: array.copy() for name, array in strided.items()}
    again = runner(np.ascontiguousarray(x[:, :, ::2]))
    for name, array in again.items():
        np.testing.assert_array_equal(first[name], array)


def test_memory_is_shared() -> None:
    """A chain of many layers needs no more floats than a few of them at once."""

    def chain(length: int) -> int:
        net = NetworkBuilder()
        x = net.conv("image", 64, 3, padding=1)
        for _ in range(length):
            x = net.binary_conv(x, 64, 1, residual=x)
        return Runner(net.model(x), batch=1, size_hw=(40, 40)).bytes

    assert chain(9) - chain(1) == pytest.approx(8 * 40 * 40 * 8, rel=0.1)  # bits alone


def test_profile_counts_all_work() -> None:
    model = residual_network()
    rows = Runner(model, batch=2, size_hw=(95, 95)).profile(images(2, (95, 95)), repeats=3)
    # Where the CPU needs pixels of 16 bits, a copy of the image comes first.
    assert [row.op for row in rows if row.op != "pad"] == [
        "copy", "conv", "avg_pool, concat", *["binary_conv"] * 4, "conv",
    ]  # fmt: skip
    assert sum(row.binary_macs for row in rows) == 2 * 11 * 11 * 9 * (64 + 3 * 128) * 128
    assert sum(row.real_macs for row in rows) == 2 * (22 * 22 * 192 * 64 + 11 * 11 * 128 * 128)
    assert all(row.seconds > 0 for row in rows)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((1, 63, 63, 3), np.float32), "images: expected a uint8 array of shape "
         r"\(1, 63, 63, 3\), got float32"),
        ([[1]], "images: expected a uint8 array of shape .*, got list"),
        (np.zeros((2, 63, 63, 3), np.uint8), r"images: expected shape \(1, 63, 63, 3\), got "
         r"\(2, 63, 63, 3\); make a Runner for each batch and image size"),
        (np.zeros((63, 63, 3), np.uint8), r"expected shape .*, got \(63, 63, 3\)"),
    ],
)  # fmt: skip
def test_wrong_images(wrong, message: str) -> None:
    runner = Runner(small_model(), batch=1, size_hw=(63, 63))
    with pytest.raises(FrameError, match=message):
        runner(wrong)
    with pytest.raises(FrameError, match=message):
        runner.profile(wrong)


@pytest.mark.parametrize("name", ["batch", "threads"])
def test_counts_must_be_positive(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: expected at least 1, got 0"):
        Runner(small_model(), **{"batch": 1, "size_hw": (63, 63), name: 0})


@pytest.mark.parametrize("size_hw", [(0, 63), (63, 0), (-1, -1)])
def test_images_without_pixels(size_hw: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="(height|width): expected at least 1, got (0|-1)"):
        Runner(small_model(), batch=1, size_hw=size_hw)


def test_more_images_than_any_memory() -> None:
    expected = r"model small: 1000000000 images of 63x63 pixels need \d+.\d GiB, expected at most"
    with pytest.raises(ModelError, match=expected):
        Runner(small_model(), batch=10**9, size_hw=(63, 63))


def test_padding_that_needs_more_tables_than_any_memory() -> None:
    """A small file can ask for a table of every tap at every place."""
    net = NetworkBuilder()
    x = net.conv("image", 1, 1)
    model = net.model(net.binary_conv(x, 64, 200, padding=256, per_tap=True))
    with pytest.raises(ModelError, match="images of 50x50 pixels need .* GiB, expected at most"):
        Runner(model, batch=1, size_hw=(50, 50))


def test_a_system_that_refuses_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("binvision.runtime.draft.aligned_zeros", refuse)
    with pytest.raises(ModelError, match="there is not enough memory for 1 images of 63x63 pixels"):
        Runner(small_model(), batch=1, size_hw=(63, 63))


def test_image_smaller_than_the_network() -> None:
    with pytest.raises(ModelError, match=r"step 'conv0' \(conv\): its input of 7x50 pixels is sma"):
        Runner(residual_network(), batch=1, size_hw=(7, 50))


def test_first_run_says_that_it_compiles(tmp_path: Path) -> None:
    """In a fresh cache the runner announces compilation on stderr; from the cache it is silent."""
    code = (
        "from tests.support.networks import NetworkBuilder; from binvision.runtime import Runner;"
        "net = NetworkBuilder(); x = net.conv('image', 3, 1);"
        "Runner(net.model(x), batch=1, size_hw=(4, 4))"
    )
    root = Path(__file__).parents[2]
    for expected in (r"binvision: compiling kernels for this CPU, first run only: .", ""):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(root)},
        )  # fmt: skip
        assert done.stdout == ""
        assert done.stderr.startswith(expected) if expected else not done.stderr
