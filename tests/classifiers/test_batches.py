"""Batches that are made on the device: order, shifts and mirrors, against loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from binvision.classifiers.batches import NumberedPictures, PictureBatches
from binvision.classifiers.pictures import read_pictures
from binvision.errors import DataError
from tests.support.labelled_pictures import write_pictures


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "a.npz", train=10)


def batch(made: PictureBatches, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    found = made({"numbers": torch.arange(first, first + count)})
    assert found["images"].is_contiguous(memory_format=torch.channels_last)
    return found["images"].permute(0, 2, 3, 1).numpy(), found["labels"].numpy()


def versions(image: np.ndarray, shift: int) -> list[np.ndarray]:
    """Every shift of a picture and of its mirror image, grey around it."""
    padded = np.pad(image, ((shift, shift), (shift, shift), (0, 0)), constant_values=128)
    side = len(image)
    cut = [
        padded[y : y + side, x : x + side]
        for y in range(2 * shift + 1)
        for x in range(2 * shift + 1)
    ]
    return cut + [one[:, ::-1] for one in cut]


def test_each_picture_comes_once_in_a_pass(data: Path) -> None:
    made, images = PictureBatches(str(data), seed=1, shift=2), read_pictures(data, "train").images
    orders = []
    for first in (0, 10):
        shown, _ = batch(made, first, 10)
        orders.append(
            [
                next(
                    number
                    for number, image in enumerate(images)
                    if any(np.array_equal(one, version) for version in versions(image, 2))
                )
                for one in shown
            ]
        )
        assert sorted(orders[-1]) == list(range(10))
    assert orders[0] != orders[1]


def test_labels_go_with_their_pictures(data: Path) -> None:
    found = read_pictures(data, "train")
    shown, labels = batch(PictureBatches(str(data), shift=0), 7, 10)  # over the end of a pass
    for image, label in zip(shown, labels, strict=True):
        same = [np.array_equal(image, v) for one in found.images for v in versions(one, 0)]
        assert found.labels[same.index(True) // 2] == label


def test_a_seed_decides_everything(data: Path) -> None:
    first, again, other = (PictureBatches(str(data), seed=seed) for seed in (1, 1, 2))
    batch(first, 0, 5)
    np.testing.assert_array_equal(batch(first, 5, 5)[0], batch(again, 5, 5)[0])
    assert not np.array_equal(batch(again, 0, 5)[0], batch(other, 0, 5)[0])


def test_it_leaves_nothing_in_the_state(data: Path) -> None:
    assert not PictureBatches(str(data)).state_dict()
    assert len(NumberedPictures(str(data), 7)) == 7


def test_there_must_be_pictures() -> None:
    with pytest.raises(DataError, match="pass --data"):
        PictureBatches("")


def shown_in_a_pass(made: PictureBatches, number: int) -> list[int]:
    """How often each picture is in a pass."""
    return torch.bincount(made._order(number), minlength=len(made.labels)).tolist()


def test_pictures_come_as_often_as_they_weigh(data: Path) -> None:
    made = PictureBatches(str(data), seed=1)
    whole = torch.tensor([3, 0, 0, 2, 1, 1, 0, 1, 2, 0], dtype=torch.float64)
    made.draw_by(whole)
    assert all(shown_in_a_pass(made, number) == whole.tolist() for number in range(4))
    parts = np.array([0.3, 2.5, 0, 1.9, 0.1, 1.2, 0.8, 1.7, 0.6, 0.9])
    made.draw_by(torch.from_numpy(parts))
    counts = np.array([shown_in_a_pass(made, number) for number in range(2000)])
    assert ((counts == np.floor(parts)) | (counts == np.ceil(parts))).all()
    np.testing.assert_allclose(counts.mean(0), parts, atol=0.05)
    made.draw_by(None)
    assert shown_in_a_pass(made, 0) == [1] * 10


def test_weights_that_round_badly_still_fill_a_pass(tmp_path: Path) -> None:
    made = PictureBatches(str(write_pictures(tmp_path / "b.npz", train=49)))
    weights = torch.full((49,), 0.1, dtype=torch.float64)
    made.draw_by(weights / weights.mean() * (1 - 1e-9))
    assert all(sum(shown_in_a_pass(made, number)) == 49 for number in range(20))
