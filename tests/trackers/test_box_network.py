"""Packed trackers with a box head: what PyTorch computes, files that do not fit, no work twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from binvision import runtime
from binvision.errors import ModelError, ModelFileError, ModelTaskError
from binvision.runtime import PackedModel
from binvision.trackers import PackedBoxNetwork
from binvision.trackers.box_exporting import pack_box_checkpoint
from binvision.trackers.box_network import Exemplar
from binvision.trackers.torch_box_network import TorchBoxNetwork
from tests.support.checkpoints import write_box_checkpoint
from tests.support.packed import small_model
from tests.support.photographs import write_archive

SIZES = [127, 191, 239, 255]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint and its packed model."""
    folder = tmp_path_factory.mktemp("box")
    checkpoint, path = folder / "last.pth", folder / "boxes.safetensors"
    write_box_checkpoint(checkpoint)
    packed, _ = pack_box_checkpoint(checkpoint, name="boxes", accuracy={})
    runtime.save(path, packed)
    return checkpoint, path


def crop(side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("side", SIZES)
def test_packed_is_what_torch_computes(files: tuple[Path, Path], side: int) -> None:
    checkpoint, path = files
    ours, theirs = PackedBoxNetwork(path), TorchBoxNetwork.from_checkpoint(checkpoint)
    exemplars = [network.look(crop(127)) for network in (ours, theirs)]
    assert_close(exemplars[0].fine, exemplars[1].fine)
    assert_close(exemplars[0].coarse, exemplars[1].coarse)
    for found, expected in zip(
        ours.search(crop(side, 1), exemplars[0]), theirs.search(crop(side, 1), exemplars[1]),
        strict=True,
    ):  # fmt: skip
        assert_close(found, expected)


def test_settings_and_name_are_the_files(files: tuple[Path, Path]) -> None:
    network = PackedBoxNetwork(files[1])
    assert network.name == "boxes"
    assert network.settings.search_size == 191


def test_an_exemplar_is_set_once_for_each_size(files: tuple[Path, Path]) -> None:
    network = PackedBoxNetwork(files[1])
    first, second = network.look(crop(127)), network.look(crop(127, 5))
    alone = {
        (name, side): network.search(crop(side, 1), exemplar)[0].copy()
        for side in SIZES
        for name, exemplar in (("first", first), ("second", second))
    }
    assert all(np.any(alone["first", s] != alone["second", s]) for s in SIZES)
    for side in (*SIZES, *SIZES):  # in turns, and after other sizes had others
        for name, exemplar in (("second", second), ("first", first), ("first", first)):
            found = network.search(crop(side, 1), exemplar)[0]
            np.testing.assert_array_equal(found, alone[name, side])
    kept = first.fine.copy()
    first.fine[:] = 0  # the very object is not read again
    np.testing.assert_array_equal(network.search(crop(191, 1), first)[0], alone["first", 191])
    copied = Exemplar(kept, first.coarse)
    np.testing.assert_array_equal(network.search(crop(191, 1), copied)[0], alone["first", 191])


def test_an_exemplar_outlives_the_next_look(files: tuple[Path, Path]) -> None:
    network = PackedBoxNetwork(files[1])
    exemplar = network.look(crop(127))
    before = exemplar.fine.copy()
    network.look(crop(127, 1))
    np.testing.assert_array_equal(exemplar.fine, before)


def test_threads_change_nothing(files: tuple[Path, Path]) -> None:
    alone, together = (PackedBoxNetwork(files[1], threads=count) for count in (1, 3))
    exemplar = alone.look(crop(127))
    for a, b in zip(
        alone.search(crop(191), exemplar), together.search(crop(191), exemplar), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_heads_of_eight_bits(files: tuple[Path, Path], tmp_path: Path) -> None:
    photos = [write_archive(tmp_path / "photos.npz")]
    eight, _ = pack_box_checkpoint(files[0], name="eight", accuracy={}, photos=photos)
    real = runtime.load(files[1])
    rounded = [step.name for step in eight.steps if "levels" in step.tensors]
    convolutions = [s.name for s in real.steps if s.op == "conv" and s.inputs[0] != "image"]
    assert rounded == convolutions
    runtime.save(tmp_path / "eight", eight)
    ours, theirs = PackedBoxNetwork(tmp_path / "eight"), PackedBoxNetwork(files[1])
    assert (tmp_path / "eight").stat().st_size < files[1].stat().st_size
    scores = [net.search(crop(191, 1), net.look(crop(127)))[0] for net in (ours, theirs)]
    assert np.corrcoef(scores[0].ravel(), scores[1].ravel())[0, 1] > 0.9


# Files that do not fit


def rename_output(model: PackedModel) -> PackedModel:
    steps = tuple(replace(s, output="where") if s.output == "box" else s for s in model.steps)
    return replace(model, steps=steps, outputs=("score", "where", "fine", "coarse"))


def rename_exemplar(model: PackedModel) -> PackedModel:
    steps = tuple(
        replace(s, inputs=tuple("other" if i == "exemplar_fine" else i for i in s.inputs))
        for s in model.steps
    )
    exemplars = {"other": model.exemplars["exemplar_fine"], "exemplar_coarse": (6, 6, 64)}
    return replace(model, steps=steps, exemplars=exemplars)


def with_settings(**changes: float) -> Callable[[PackedModel], PackedModel]:
    return lambda model: replace(model, settings={**model.settings, **changes})


def swap(model: PackedModel) -> PackedModel:
    names = {"score": "box", "box": "score"}
    steps = tuple(replace(s, output=names.get(s.output, s.output)) for s in model.steps)
    return replace(model, steps=steps)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (rename_output, "results: expected score, box, fine, coarse, got"),
        (rename_exemplar, "exemplars: expected exemplar_fine, exemplar_coarse, got"),
        (with_settings(fine_crop=5), r"size of exemplar_fine: expected \(5, 5, 64\)"),
        (with_settings(coarse_crop=9), r"size of exemplar_coarse: expected \(9, 9, 64\)"),
        (with_settings(exemplar_size=60), "side of fine: expected at least 7 cells, got 7|coarse"),
        (with_settings(stride=0), "stride = 0 out of range"),
        (swap, r"shapes of score and box: expected \(h, w, 1\) and \(h, w, 4\)"),
    ],
)
def test_files_that_do_not_fit(
    files: tuple[Path, Path], tmp_path: Path, damage: Any, message: str
) -> None:
    runtime.save(tmp_path / "bad", damage(runtime.load(files[1])))
    with pytest.raises(ModelFileError, match=message) as error:
        PackedBoxNetwork(tmp_path / "bad")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("sizes", [{"exemplar_size": 5}, {"search_size": 5}])
def test_crops_too_small_for_the_network(
    files: tuple[Path, Path], tmp_path: Path, sizes: dict[str, int]
) -> None:
    settings = {"origin": 3.5, **sizes}
    runtime.save(tmp_path / "bad", with_settings(**settings)(runtime.load(files[1])))
    with pytest.raises(ModelError):
        PackedBoxNetwork(tmp_path / "bad").prepare()


def test_another_task(tmp_path: Path) -> None:
    runtime.save(tmp_path / "m", small_model())
    with pytest.raises(ModelTaskError, match=r"tracking/siamfc.*tracking/box"):
        PackedBoxNetwork(tmp_path / "m")
