"""Small trees in the official layouts of the benchmarks of points.

Every picture shows a chart (`landmark_models`), so that the chart's model finds its points. The
true points of each subject are returned, counted from 0.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from tests.support.landmark_models import chart_points, draw_chart

__all__ = [
    "chart_picture",
    "write_300w",
    "write_aflw",
    "write_aflw2000",
    "write_aflw_pifa",
    "write_coco_people",
    "write_cofw",
    "write_mpii_list",
    "write_mpii_release",
    "write_wflw",
]

Points = NDArray[np.float64]

AFLW_TRAINING = 2  # faces in the front of the small AFLW's list that are not for testing


def chart_picture(seed: int, count: int) -> tuple[NDArray[np.uint8], Points]:
    """A grey picture with a chart somewhere, and the chart's points (count, 2)."""
    rng = np.random.default_rng(seed)
    picture = np.full((150 + seed, 180, 3), 128, np.uint8)
    x, y = rng.uniform(25, 40, 2).tolist()
    box = (x, y, 96.0 + seed, 84.0)
    draw_chart(picture, box, count)
    return picture, chart_points(box, count)


def _write_chart(path: Path, seed: int, count: int) -> Points:
    picture, points = chart_picture(seed, count)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)
    return points


def write_300w(root: Path, parts: Sequence[str], each: int = 2) -> list[Points]:
    """Write parts like ``helen/testset``; points are counted from 1 in the files."""
    found = []
    for part in parts:
        for number in range(each):
            points = _write_chart(root / part / f"face_{number}.png", len(found), 68)
            rows = "".join(f"{x + 1:.4f} {y + 1:.4f}\n" for x, y in points)
            text = f"version: 1\nn_points: 68\n{{\n{rows}}}\n"
            (root / part / f"face_{number}.pts").write_text(text)
            found.append(points)
    return found


def write_aflw(root: Path) -> list[Points]:
    """Write four faces, of which the last two are for testing; of the last one a point is hidden.

    The third and the fourth are in one picture's file each, named by the list as .jpg.
    """
    points = [_write_chart(root / "data/flickr/0" / f"image{i}.png", i, 19) for i in range(4)]
    mask = np.ones((4, 19))
    mask[3, 5] = 0
    names = np.empty((4, 1), object)
    names[:, 0] = [f"0/image{i}.jpg" for i in range(4)]
    savemat(
        root / "AFLWinfo_release.mat",
        {
            "nameList": names,
            "data": np.stack([np.concatenate([p[:, 0], p[:, 1]]) for p in points]),
            "mask_new": mask,
            "bbox": np.array([[20.0, 120.0, 10.0, 110.0]] * 4),  # left, right, top, bottom
            "ra": np.array([[2, 1, 4, 3]]),
        },
    )
    return [points[3], points[2]]


def write_aflw_pifa(root: Path, flag_of_visible: int = 1) -> list[Points]:
    """Write two faces for testing; the first four points of the second one are hidden."""
    points = [_write_chart(root / "TestImages" / f"{i + 1}.jpg", i, 34) for i in range(2)]
    visible = np.ones((2, 34))
    visible[1, :4] = 0
    flags = visible if flag_of_visible else 1 - visible
    shapes = [np.concatenate([p[:, 0] + 1, p[:, 1] + 1]) for p in points]
    savemat(
        root / "Landmark.mat", {"phisT": np.hstack([shapes, flags]), "phisTr": np.zeros((1, 1))}
    )
    savemat(root / "BoundingBox.mat", {"bboxesT": np.array([[11.0, 21, 90, 40], [1, 1, 100, 100]])})
    return points


def write_aflw2000(root: Path, yaws: Sequence[float]) -> list[Points]:
    """Write a face for each yaw, degrees."""
    found = []
    for index, yaw in enumerate(yaws):
        points = _write_chart(root / f"image{index:05d}.jpg", index, 68)
        pose = np.array([[0.1, np.radians(yaw), 0.2, 0, 0, 0, 1e-3]])
        depth = np.vstack([points.T + 1, np.zeros(68)])
        savemat(root / f"image{index:05d}.mat", {"pt3d_68": depth, "Pose_Para": pose})
        found.append(points)
    return found


def write_cofw(root: Path) -> list[Points]:
    """Write two faces, the first one grey in the file, the second one with two hidden points."""
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    charts = [chart_picture(seed, 29) for seed in range(2)]
    hidden = np.zeros((2, 29))
    hidden[1, :2] = 1
    shapes = [np.concatenate([p[:, 0] + 1, p[:, 1] + 1]) for _, p in charts]
    with h5py.File(root / "COFW_test_color.mat", "w") as file:
        references = file.create_dataset("IsT", (1, 2), h5py.ref_dtype)
        for index, (picture, _) in enumerate(charts):
            pixels = picture[..., 0] if index == 0 else picture[..., ::-1]  # MATLAB's are RGB
            references[0, index] = file.create_dataset(f"#refs#/{index}", data=pixels.T).ref
        file["phisT"] = np.hstack([shapes, hidden]).T
        file["bboxesT"] = np.array([[21.0, 31, 100, 90]] * 2).T
    return [points for _, points in charts]


def write_wflw(root: Path, attributes: Sequence[Sequence[int]]) -> list[Points]:
    """Write a face for each row of six attributes."""
    found, lines = [], []
    for index, flags in enumerate(attributes):
        file = f"0--Parade/face_{index}.jpg"
        points = _write_chart(root / "WFLW_images" / file, index, 98)
        numbers = [f"{value:.5f}" for value in points.ravel()]
        lines.append(" ".join([*numbers, "20", "30", "120", "110", *map(str, flags), file]))
        found.append(points)
    folder = root / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    folder.mkdir(parents=True)
    (folder / "list_98pt_rect_attr_test.txt").write_text("\n".join(lines) + "\n")
    return found


def _mpii_people() -> tuple[list[Points], NDArray[np.float64], NDArray[np.bool_]]:
    """Joints of three people, the corners of their heads (3, 2, 2), and which are labelled."""
    points = [chart_picture(seed, 16)[1] for seed in range(3)]
    heads = np.array([[[50.0, 40], [62, 56]], [[50, 40], [65, 76]], [[50, 40], [74, 50]]])
    labelled = np.ones((3, 16), bool)
    labelled[1, [0, 7]] = False
    return points, heads, labelled


def write_mpii_list(root: Path, *, heads: bool = True) -> list[Points]:
    """Write ``annot/valid.json`` with three people, and ``gt_valid.mat`` beside it."""
    points, corners, labelled = _mpii_people()
    rows = []
    for index, (joints, flags) in enumerate(zip(points, labelled, strict=True)):
        _write_chart(root / "images" / f"{index}.jpg", index, 16)
        rows.append(
            {
                "image": f"{index}.jpg",
                "joints": np.where(flags[:, None], joints + 1, -1).tolist(),
                "joints_vis": flags.astype(int).tolist(),
                "center": (joints.mean(0) + 1).tolist(),
                "scale": 0.5,
            }
        )
    (root / "annot").mkdir()
    (root / "annot/valid.json").write_text(json.dumps(rows))
    if heads:
        savemat(
            root / "annot/gt_valid.mat",
            {
                "headboxes_src": np.transpose(corners, (1, 2, 0)) + 1,
                "pos_gt_src": np.transpose(points, (1, 2, 0)) + 1,
                "jnt_missing": (~labelled).T.astype(float),
            },
        )
    return points


def write_mpii_release(root: Path) -> list[Points]:
    """Write the three people as the release has them, in four pictures.

    The second picture shows somebody else first, who does not stand apart, and the fourth picture
    is one for testing, without joints.
    """
    points, corners, labelled = _mpii_people()

    def person(index: int) -> dict[str, Any]:
        joints = [
            {"x": x + 1, "y": y + 1, "id": number, "is_visible": "0" if number == 3 else "1"}
            for number, ((x, y), flag) in enumerate(
                zip(points[index], labelled[index], strict=True)
            )
            if flag
        ]
        (x1, y1), (x2, y2) = corners[index] + 1
        middle = points[index].mean(0) + 1
        return {
            **{"x1": x1, "y1": y1, "x2": x2, "y2": y2, "scale": 0.5},
            "objpos": {"x": middle[0], "y": middle[1]},
            "annopoints": {"point": _structures(joints)},
        }

    people = [[person(0)], [person(0), person(1)], [person(2)], [{"scale": 1.0}]]
    entries = []
    for index, present in enumerate(people):
        _write_chart(root / "images" / f"{index}.jpg", index, 16)
        entries.append({"image": {"name": f"{index}.jpg"}, "annorect": _structures(present)})
    alone = np.empty((4, 1), object)
    alone[:, 0] = [1.0, 2.0, 1.0, 1.0]
    release = {
        "annolist": _structures(entries),
        "img_train": np.array([[1, 1, 1, 0]]),
        "single_person": alone,
    }
    savemat(root / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": release})
    return points


def _structures(rows: Sequence[dict[str, Any]]) -> NDArray[Any]:
    """A MATLAB array of structures with the same fields."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    array = np.empty((1, len(rows)), [(name, object) for name in names])
    for index, row in enumerate(rows):
        for name in names:
            array[0, index][name] = row.get(name, np.empty((0, 0)))
    return array


def write_coco_people(root: Path, count: int = 3) -> Path:
    """Write COCO's folder with a person a picture, and a crowd and an unlabelled one in the first.

    The second person has joint 4 hidden and joint 5 missing.
    """
    rows = []
    for index in range(count):
        points = _write_chart(root / "val2017" / f"{index:012d}.jpg", index, 17)
        flags = np.full(17, 2)
        if index == 1:
            flags[[4, 5]] = 1, 0
        x, y = points.min(0)
        w, h = np.ptp(points, 0)
        keypoints = np.column_stack([np.where(flags[:, None] > 0, points, 0), flags])
        rows.append(
            {
                **{"id": index + 1, "image_id": 1000 + index, "category_id": 1, "iscrowd": 0},
                "keypoints": keypoints.ravel().tolist(),
                "num_keypoints": int((flags > 0).sum()),
                "bbox": [x - 5, y - 5, w + 10, h + 10],
                "area": 0.6 * w * h,
            }
        )
    none = {**rows[0], "keypoints": [0.0] * 51, "num_keypoints": 0, "bbox": [1, 1, 30, 30]}
    rows += [{**none, "id": 90}, {**none, "id": 91, "iscrowd": 1}]
    path = root / "annotations" / "person_keypoints_val2017.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps(
            {
                "images": [
                    {"id": 1000 + index, "file_name": f"{index:012d}.jpg"} for index in range(count)
                ],
                "annotations": rows,
                "categories": [{"id": 1, "name": "person"}],
            }
        )
    )
    return path
