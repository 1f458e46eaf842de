"""Archives of labelled pictures, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from binvision.classifiers.pictures import read_classes, read_pictures
from binvision.errors import DataError
from tests.support.labelled_pictures import CLASSES, write_pictures


def test_pictures_have_the_colour_of_their_class(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "a.npz")
    assert read_classes(path) == CLASSES
    for split, count in (("train", 12), ("test", 6)):
        found = read_pictures(path, split)
        assert found.images.shape == (count, 8, 8, 3) and found.classes == CLASSES
        np.testing.assert_array_equal(found.images.mean((1, 2)).argmax(1), found.labels)


def test_a_missing_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train_jpeg"):
        read_pictures(tmp_path / "none.npz", "train")


@pytest.mark.parametrize("labels", [[0, 1], [0] * 11 + [3], [-1] * 12])
def test_labels_must_fit(labels: list[int], tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "a.npz")
    with np.load(path) as content:
        arrays = dict(content)
    np.savez(path, **{**arrays, "train_labels": np.array(labels)})
    with pytest.raises(DataError, match="'train_labels' must hold a number below 3"):
        read_pictures(path, "train")


def test_pictures_must_have_one_size(tmp_path: Path) -> None:
    path, other = write_pictures(tmp_path / "a.npz"), write_pictures(tmp_path / "b.npz", side=9)
    with np.load(path) as content, np.load(other) as more:
        arrays = dict(content)
        arrays["test_jpeg"] = np.concatenate([content["test_jpeg"], more["test_jpeg"]])
        arrays["test_offsets"] = np.concatenate(
            [content["test_offsets"], content["test_offsets"][-1] + more["test_offsets"][1:]]
        )
        arrays["test_labels"] = np.zeros(12, np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="squares of one size"):
        read_pictures(path, "test")
