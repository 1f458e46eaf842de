"""The class of a picture, and how often it is right, with a network of known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from binvision.classifiers.classifier import Classifier
from binvision.classifiers.evaluation import evaluate
from binvision.classifiers.pictures import LabelledPictures, read_pictures
from binvision.classifiers.settings import ClassifierSettings
from binvision.errors import DataError, FrameError, ModelFileError
from tests.support.labelled_pictures import CLASSES, write_pictures


class Colours:
    """Takes the mean colour as logits."""

    name = "colours"
    settings = ClassifierSettings(CLASSES, 8)

    def run(self, images: np.ndarray) -> np.ndarray:
        return images.mean((1, 2)).astype(np.float32) / 25


@pytest.mark.parametrize("size", [(8, 8), (40, 30), (5, 9), (1, 1)])
def test_pictures_of_any_size(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), (10, 100, 60), np.uint8)
    found = Classifier(Colours())(picture)
    assert (found.label, found.name) == (1, "green")
    powers = np.exp(np.array([10, 100, 60]) / 25)
    np.testing.assert_allclose(found.probabilities, powers / powers.sum(), rtol=1e-5)


def test_other_arrays_are_refused() -> None:
    with pytest.raises(FrameError, match="picture"):
        Classifier(Colours())(np.zeros((8, 8), np.uint8))


def test_accuracy_is_the_share_of_right_answers(tmp_path: Path) -> None:
    found = read_pictures(write_pictures(tmp_path / "a.npz"), "test")
    assert evaluate(Colours(), found).top1 == 1
    wrong = LabelledPictures(found.images, np.array([0, 1, 2, 0, 1, 1]), CLASSES)
    measured = evaluate(Colours(), wrong)
    assert measured.top1 == pytest.approx(5 / 6) and measured.pictures == 6
    assert measured.by_class == pytest.approx({"blue": 1, "green": 2 / 3, "red": 1})


def test_other_classes_are_refused(tmp_path: Path) -> None:
    found = read_pictures(write_pictures(tmp_path / "a.npz"), "test")
    with pytest.raises(DataError, match="the pictures are of cat, dog"):
        evaluate(Colours(), LabelledPictures(found.images, found.labels, ("cat", "dog")))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"classes": ["a", "b"]}, "expected classes, input_size"),
        ({"classes": ["a", "b"], "input_size": 8, "stride": 4}, "expected classes, input_size"),
        ({"classes": ["a"], "input_size": 8}, "classes"),
        ({"classes": ["a", 1], "input_size": 8}, "classes"),
        ({"classes": "ab", "input_size": 8}, "classes"),
        ({"classes": ["a", "b"], "input_size": True}, "input_size"),
        ({"classes": ["a", "b"], "input_size": 0}, "input_size"),
    ],
)
def test_settings_are_checked(values: dict[str, object], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        ClassifierSettings.from_mapping(values, "model")
