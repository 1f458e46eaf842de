"""Training crops: points stay on what they mark, whatever is done to the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from binvision.errors import ConfigError, DataError
from binvision.landmarks.crops import PointCrops
from binvision.landmarks.schemes import find_scheme
from tests.support.face_archives import write_face_archive, write_points
from tests.support.photographs import write_archive
from tests.support.point_sets import keypoints_row, write_keypoints_json

SIZE = 64
PLAIN = {
    "rotation": 0.0, "scale": 0.0, "shift": 0.0, "flip": 0.0, "occluder": 0.0, "grey": 0.0,
    "dark": 0.0, "low_resolution": 0.0, "absent": 0.0,
}  # fmt: skip


def crops(path: Path, length: int = 200, seed: int = 0, **ranges: float) -> PointCrops:
    return PointCrops(
        "face68", faces=[str(path)], input_size=SIZE, crop=1.5, length=length, seed=seed,
        ranges=ranges,
    )  # fmt: skip


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_points(tmp_path_factory.mktemp("faces") / "faces", 3)


def bright_at_points(item: dict[str, torch.Tensor]) -> float:
    """Share of the points inside at which the picture, dark elsewhere, has a dot."""
    image = item["images"].numpy().max(0).astype(float)
    inside = item["weights"].numpy() > 0
    x, y = np.rint(item["points"].numpy()[inside]).astype(int).T
    return float((image[y, x] > image.mean() + image.std()).mean())


def test_items_are_what_the_training_takes(faces: Path) -> None:
    item = crops(faces, **PLAIN)[0]
    assert item["images"].shape == (3, SIZE, SIZE) and item["images"].dtype == torch.uint8
    assert item["points"].shape == (68, 2) and item["weights"].shape == (68,)
    assert float(item["present"]) == 1 and float(item["weights"].min()) == 1
    points = item["points"].numpy()
    extent = np.ptp(points, axis=0).max()
    assert extent == pytest.approx(SIZE / 1.5, rel=0.01)
    middle = (points.min(0) + points.max(0)) / 2
    np.testing.assert_allclose(middle, (SIZE - 1) / 2, atol=0.05)


def test_points_without_mirror_images_train_unmirrored_or_not_at_all(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(10, 50, (34, 2))
    with pytest.raises(ConfigError, match="points face34 are not known.*ranges={'flip': 0.0}"):
        crops_of_34(points, tmp_path)
    for absent, labelled in ((0.0, 34), (1.0, 0)):
        item = crops_of_34(points, tmp_path, **{**PLAIN, "absent": absent})[0]
        assert item["points"].shape == (34, 2) and int(item["weights"].sum()) == labelled


def crops_of_34(points: np.ndarray, folder: Path, **ranges: float) -> PointCrops:
    path = write_keypoints_json(folder, [("a.png", keypoints_row(points))])
    return PointCrops("face34", data=str(path), input_size=SIZE, crop=1.5, length=1, ranges=ranges)


@pytest.mark.parametrize(
    "changed",
    [{}, {"rotation": 40.0}, {"scale": 0.3}, {"shift": 0.2}, {"flip": 1.0}, {"rotation": 30.0,
     "flip": 0.5, "scale": 0.2, "shift": 0.1}],
)  # fmt: skip
def test_points_stay_on_their_dots(faces: Path, changed: dict[str, float]) -> None:
    data = crops(faces, **{**PLAIN, **changed})
    shares = [bright_at_points(data[index]) for index in range(20)]
    assert np.mean(shares) > 0.9


def test_a_mirrored_crop_swaps_the_names_of_its_points(faces: Path) -> None:
    plain, mirrored = crops(faces, **PLAIN)[3], crops(faces, **{**PLAIN, "flip": 1.0})[3]
    mirror = list(find_scheme("face68").mirror)
    expected = plain["points"].numpy()[mirror] * (-1, 1) + (SIZE - 1, 0)
    np.testing.assert_allclose(mirrored["points"].numpy(), expected, atol=1e-3)


def test_points_outside_do_not_count(faces: Path) -> None:
    data = crops(faces, **{**PLAIN, "shift": 0.6})
    weights = torch.stack([data[index]["weights"] for index in range(30)])
    points = torch.stack([data[index]["points"] for index in range(30)])
    assert 0 < float(weights.mean()) < 1
    assert bool((points[weights == 0] == 0).all())
    assert float(points.min()) > -0.5 and float(points.max()) < SIZE - 0.5


def test_the_same_seed_gives_the_same_items_in_any_order(faces: Path) -> None:
    first, again, other = crops(faces), crops(faces), crops(faces, seed=1)
    for index in (7, 3):
        a, b = first[index], again[index]
        assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(first[7]["images"], other[7]["images"])


def test_many_seeds_with_everything_on(tmp_path: Path, faces: Path) -> None:
    """Every kind of change, as often as it gets: no item fails, and none is out of range."""
    photos = write_archive(tmp_path / "photos.npz")
    data = PointCrops(
        "face68", faces=[str(faces)], photos=[str(photos)], input_size=SIZE, crop=1.5, length=2000,
        ranges={"occluder": 1.0, "dark": 0.3, "absent": 0.3, "rotation": 30.0, "scale": 0.3,
                "low_resolution": 0.5, "backdrop": 0.5},
    )  # fmt: skip
    items = [data[index] for index in range(0, 2000, 4)]
    present = [float(item["present"]) for item in items]
    assert 0.6 < np.mean(present) < 0.8
    for item in items:
        assert torch.isfinite(item["points"]).all()
        assert float(item["present"]) or not item["weights"].any()


def test_archives_folders_and_keypoints_together(tmp_path: Path, faces: Path) -> None:
    archive = write_face_archive(tmp_path / "faces.npz", 2)
    data = PointCrops(
        "face68", faces=[str(faces), str(archive)], input_size=SIZE, crop=1.5, length=4
    )
    assert len(data) == 4 and len(data.pictures) == 5
    points = np.random.default_rng(0).uniform(5, 50, (14, 2))
    flags = [2] * 12 + [0, 0]
    pose = write_keypoints_json(tmp_path / "pose", [("a.png", keypoints_row(points, flags))])
    item = PointCrops(
        "pose14", data=str(pose), images=str(pose.parent), input_size=SIZE, crop=1.25, length=1,
        ranges=PLAIN,
    )[0]  # fmt: skip
    assert item["weights"].tolist() == [1.0] * 12 + [0.0] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no points to train on: pass --faces ARCHIVE|FOLDER, or --data annotations.json"),
        ({"faces": ["none.npz"]}, "none.npz"),
    ],
)
def test_errors_say_what_is_missing(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message.replace("|", r"\|")):
        PointCrops("face68", input_size=SIZE, crop=1.5, length=1, **arguments)


def test_other_points_are_refused(faces: Path) -> None:
    with pytest.raises(DataError, match="has the points face68, the network pose14"):
        PointCrops("pose14", faces=[str(faces)], input_size=SIZE, crop=1.5, length=1)


def test_a_backdrop_stands_where_the_picture_ends(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PointCrops, "_degrade", lambda self, image, rng: image)
    photos = write_archive(tmp_path / "photos.npz")

    def item(backdrop: float, index: int) -> dict[str, torch.Tensor]:
        ranges = {**PLAIN, "rotation": 30.0, "flip": 0.5, "backdrop": backdrop}
        return PointCrops(
            "face68", faces=[str(faces)], photos=[str(photos)], input_size=SIZE, crop=4.0,
            length=20, ranges=ranges,
        )[index]  # fmt: skip

    for index in range(20):
        grey, backed = item(0.0, index), item(1.0, index)
        outside = (grey["images"] == 128).all(0)
        # Pictures are black with white dots; along their edges they mix with what is around.
        inside = ((grey["images"] < 64) | (grey["images"] > 192)).all(0)
        same = (grey["images"] == backed["images"]).all(0)
        assert 0.2 < float(outside.float().mean()) < 0.9
        assert float(same[outside].float().mean()) < 0.02
        assert float(same[inside].float().mean()) > 0.97
        assert torch.equal(grey["points"], backed["points"])


def test_without_photographs_there_is_grey_around(faces: Path) -> None:
    plain, backed = (crops(faces, **{**PLAIN, "backdrop": share})[0] for share in (0.0, 1.0))
    assert torch.equal(plain["images"], backed["images"])
