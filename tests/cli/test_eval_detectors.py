"""eval coco and eval fddb through the command line, with a detector that finds colours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.detection_models import SCORE, street, write_detector

pytest.importorskip("pycocotools")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

# What each picture shows by cells of 8 pixels (row, column), and what is said to be there.
SHOWN: dict[str, dict[str, list[tuple[int, int]]]] = {
    "V_a": {"cars": [(2, 2)], "buses": [(5, 5)]},
    "V_b": {"cars": [(3, 4), (6, 1)]},
    "IR_c": {"buses": [(2, 5)]},
    "IR_d": {},
}
TRUTH: dict[str, list[tuple[str, int, int]]] = {
    "V_a": [("car", 2, 2), ("bus", 5, 5)],
    "V_b": [("car", 3, 4)],  # one detection is false
    "IR_c": [("bus", 2, 5)],
    "IR_d": [("bus", 4, 4)],  # missed
}
CLASS_IDS = {"car": 3, "bus": 9}


def box_of(row: int, column: int) -> list[float]:
    """The detector's box of a cell: 24x24 pixels around its middle, inside 64x64."""
    start, end = np.array([column, row]) * 8 - 8, np.array([column, row]) * 8 + 16
    start, end = np.clip(start, 0, 64), np.clip(end, 0, 64)
    return [*map(float, start), *map(float, end - start)]


def ellipse_of(row: int, column: int) -> list[float]:
    x, y, w, h = box_of(row, column)
    return [w / 2, h / 2, 0.0, x + w / 2, y + h / 2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """COCO JSON of the pictures, each object with an ellipse, and the pictures beside it."""
    folder = tmp_path / "set"
    folder.mkdir()
    images, rows = [], []
    for number, (name, shown) in enumerate(SHOWN.items(), 1):
        cv2.imwrite(str(folder / f"{name}.png"), street((64, 64), **shown))
        images.append({"id": number, "file_name": f"{name}.png", "width": 64, "height": 64})
        for label, row, column in TRUTH[name]:
            place = {"bbox": box_of(row, column), "ellipse": ellipse_of(row, column)}
            key = {"id": len(rows) + 1, "image_id": number, "category_id": CLASS_IDS[label]}
            rows.append({**key, **place})
    categories = [{"id": number, "name": name} for name, number in CLASS_IDS.items()]
    path = tmp_path / "set.json"
    document = {"images": images, "annotations": rows, "categories": categories}
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_detector(tmp_path / "colours.safetensors")


def fails(done: Any, code: int, message: str) -> None:
    assert done.code == code, done
    assert done.out == "" and "Traceback" not in done.err
    assert re.search(message, done.err.splitlines()[-1]), done.err


def test_the_report_in_words(command: Any, data: Path, model: Path) -> None:
    done = command("eval", "coco", "--annotations", data, "--model", model, "--groups", "V_,IR_")
    assert done.code == 0, done.err
    assert f"colours on {data}: 4 pictures, 5 objects; " in done.out
    assert f"best F1 at score {SCORE:.2f}: precision 0.800, recall 0.800" in done.out
    rows = {" ".join(line.split()[:2]): line.split() for line in done.out.splitlines()}
    assert len(rows["all 4"]) == 2 + 12  # COCO's numbers
    assert rows["V_ 2"][1] == "2" and rows["IR_ 2"][1] == "2"
    assert rows["bus 3"][2:4] == ["0.663", "0.663"]
    assert rows["IR_: car"][2:5] == ["0", "-", "-"]
    assert "compiling" not in done.out


def test_json_and_files(command: Any, data: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("eval", "coco", "--annotations", data, "--model", model, "--json", "--out", out)
    done = command(*arguments)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (out / "report.json").read_text() == done.out
    assert report["classes"] == ["car", "bus"] and report["detector"]["score"] == 0.01
    everything = report["groups"]["all"]
    assert everything["pictures"] == 4
    # Two of three buses, ranked first: 67 of the 101 recall levels.
    assert everything["classes"]["bus"]["AP50"] == pytest.approx(67 / 101, abs=1e-6)
    assert everything["classes"]["bus"]["recall_at_false_per_picture"]["0.1"] == pytest.approx(
        2 / 3, abs=1e-6
    )
    assert everything["best_f1"] == {
        "score": round(SCORE, 4), "precision": 0.8, "recall": 0.8
    }  # fmt: skip
    assert everything["numbers"]["APlarge"] is None
    assert len(everything["classes"]["car"]["precision_at_recall"]) == 101

    results = json.loads((out / "detections.json").read_text())
    assert {row["category_id"] for row in results} == {3, 9}
    assert [row["bbox"] for row in results if row["image_id"] == 3] == [box_of(2, 5)]
    assert (out / "precision_recall.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (out / "precision_recall.svg").read_text()
    worst = sorted((out / "worst").iterdir())
    assert [path.name for path in worst] == ["01.jpg", "02.jpg"]
    assert cv2.imread(str(worst[0])).shape == (640, 640, 3)

    # Speeds are measured, so that an equal report means that nothing ran again.
    assert command(*arguments).out == done.out


def test_results_are_what_the_official_tools_read(
    command: Any, data: Path, model: Path, tmp_path: Path
) -> None:
    import io
    from contextlib import redirect_stdout

    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    document = json.loads(data.read_text())
    for row in document["annotations"]:
        row.update(iscrowd=0, area=row["bbox"][2] * row["bbox"][3])
    data.write_text(json.dumps(document | {"info": {}}))
    out = tmp_path / "out"
    done = command("eval", "coco", "--annotations", data, "--model", model, "--json", "--out", out)
    with redirect_stdout(io.StringIO()):
        truth = COCO(str(data))
        evaluation = COCOeval(truth, truth.loadRes(str(out / "detections.json")), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    expected = [None if value < 0 else value for value in evaluation.stats]
    numbers = json.loads(done.out)["groups"]["all"]["numbers"]
    assert list(numbers.values()) == pytest.approx(expected, abs=1e-6)


def test_a_checkpoint_is_measured_before_its_export(
    command: Any, data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from binvision.detectors.detector import Detector
    from binvision.detectors.torch_network import TorchNetwork
    from tests.support.checkpoints import write_detector_checkpoint

    checkpoint, out = tmp_path / "last.pth", tmp_path / "out"
    write_detector_checkpoint(checkpoint, 2)
    done = command(
        "eval", "coco", "--annotations", data, "--model", checkpoint, "--json", "--out", out
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["detector"]["model"] == "last.pth"
    detector = Detector(TorchNetwork.from_checkpoint(checkpoint), score_threshold=0.01)
    expected = detector(cv2.imread(str(data.parent / "set" / "V_b.png")))
    assert 0 < len(expected) < 128
    found = [
        row for row in json.loads((out / "detections.json").read_text()) if row["image_id"] == 2
    ]
    assert [row["score"] for row in found] == pytest.approx(expected.scores.tolist())
    np.testing.assert_allclose([row["bbox"] for row in found], expected.boxes, rtol=1e-6)
    assert [row["category_id"] for row in found] == [(3, 9)[label] for label in expected.labels]


def test_parts_of_other_formats(command: Any, model: Path, tmp_path: Path) -> None:
    """The same scene as VOC and as YOLO; their part is chosen by a list, and by --split."""
    (tmp_path / "images" / "test").mkdir(parents=True)
    (tmp_path / "labels" / "test").mkdir(parents=True)
    scene = street((64, 64), cars=[(2, 2)])
    cv2.imwrite(str(tmp_path / "images" / "test" / "a.png"), scene)
    # Cell (2, 2) has the box from 8 to 32; YOLO has the centre and the sides, over 64.
    label = "0 0.3125 0.3125 0.375 0.375\n"
    (tmp_path / "labels" / "test" / "a.txt").write_text(label)
    (tmp_path / "data.yaml").write_text("test: images/test\nnames: [car]\n")
    voc = tmp_path / "voc"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (voc / name).mkdir(parents=True)
    cv2.imwrite(str(voc / "JPEGImages" / "a.png"), scene)
    (voc / "Annotations" / "a.xml").write_text(
        "<annotation><filename>a.png</filename><object><name>car</name><bndbox><xmin>9</xmin>"
        "<ymin>9</ymin><xmax>32</xmax><ymax>32</ymax></bndbox></object></annotation>"
    )
    (voc / "ImageSets" / "Main" / "test.txt").write_text("a\n")
    for arguments in (
        (tmp_path / "data.yaml", "--split", "test"),
        (voc / "ImageSets" / "Main" / "test.txt",),
        (voc, "--split", "test"),
    ):
        done = command("eval", "coco", "--model", model, "--json", "--annotations", *arguments)
        assert done.code == 0, done.err
        report = json.loads(done.out)
        assert report["groups"]["all"]["numbers"]["AP"] == 1, arguments
        assert report["classes"] == ["car"]


def test_an_interrupted_run_goes_on(
    command: Any, data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from binvision.detectors.evaluation import run

    whole = command("eval", "coco", "--annotations", data, "--model", model, "--json")
    out, read, opened = tmp_path / "out", run.read_picture, []

    def interrupted(picture: Any) -> Any:
        if len(opened) == 2:
            raise KeyboardInterrupt
        opened.append(picture.path)
        return read(picture)

    monkeypatch.setattr(run, "read_picture", interrupted)
    arguments = ("eval", "coco", "--annotations", data, "--model", model, "--json", "--out", out)
    fails(
        command(*arguments), 130, r"^error: interrupted; 2 of 4 pictures are finished and kept in "
        r".*found\.jsonl; the same command goes on from there$",
    )  # fmt: skip
    with (out / "found.jsonl").open("a") as file:
        file.write('{"picture": 3, "fi')  # as a killed process leaves it

    def counted(picture: Any) -> Any:
        opened.append(picture.path)
        return read(picture)

    monkeypatch.setattr(run, "read_picture", counted)
    done = command(*arguments)
    assert done.code == 0, done.err
    assert [path.name for path in opened] == [f"{name}.png" for name in SHOWN]
    assert json.loads(done.out)["groups"] == json.loads(whole.out)["groups"]


def test_ctrl_c_without_a_folder(
    command: Any, data: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from binvision.detectors.evaluation import run

    def interrupted(picture: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "read_picture", interrupted)
    done = command("eval", "coco", "--annotations", data, "--model", model)
    fails(done, 130, "interrupted; nothing is kept; with --out DIR the same command would go on")


def test_what_was_found_otherwise_is_refused(
    command: Any, data: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("eval", "coco", "--annotations", data, "--model", model, "--out", out)
    assert command(*arguments).code == 0
    fails(command(*arguments, "--score", "0.5"), 2, "was made with another score; choose another")
    (out / "found.jsonl").write_text("{}\nnonsense\n")
    fails(command(*arguments), 1, "cannot read what was found earlier: .*; choose another --out")
    (out / "found.jsonl").write_text("[]\n")
    fails(command(*arguments), 1, "cannot read what was found earlier: ")


def test_fddb(command: Any, data: Path, model: Path) -> None:
    done = command("eval", "fddb", "--annotations", data, "--model", model)
    assert done.code == 0, done.err
    assert "FDDB, 4 pictures, 5 faces" in done.out
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line.split()}
    # Four of five at one false detection in four pictures; boxes cover 1.27 of their ellipses.
    assert rows["discrete"] == ["0.000", "0.800", "0.800", "0.800", "0.800", "0.800"]
    assert 0.55 < float(rows["continuous"][1]) < 0.65
    document = json.loads(data.read_text())
    del document["annotations"][2]["ellipse"]
    data.write_text(json.dumps(document))
    done = command("eval", "fddb", "--annotations", data, "--model", model)
    fails(done, 1, "annotation 2 of the list has the ellipse null; FDDB's scores need one")


def test_groups_of_pictures(command: Any, data: Path, model: Path) -> None:
    """A group's figures are those of a set that has its pictures alone."""
    arguments = ("eval", "coco", "--annotations", data, "--model", model, "--json")
    both = json.loads(command(*arguments, "--groups", "V_, IR_").out)["groups"]
    assert list(both) == ["all", "V_", "IR_"]
    document = json.loads(data.read_text())
    for group in ("V_", "IR_"):
        images = [row for row in document["images"] if row["file_name"].startswith(group)]
        numbers = {row["id"] for row in images}
        rows = [row for row in document["annotations"] if row["image_id"] in numbers]
        data.write_text(json.dumps(document | {"images": images, "annotations": rows}))
        assert json.loads(command(*arguments).out)["groups"]["all"] == both[group]


def test_classes_are_chosen_and_checked(command: Any, data: Path, model: Path) -> None:
    arguments = ("eval", "coco", "--annotations", data, "--model", model)
    done = command(*arguments, "--classes", "bus", "--json")
    report = json.loads(done.out)
    assert report["classes"] == ["bus"] and report["groups"]["all"]["best_f1"]["precision"] == 1
    fails(command(*arguments, "--classes", "buss"), 2, "no class 'buss'; .*; did you mean 'bus'")
    fails(command(*arguments, "--groups", "X_"), 2, "group 'X_': no picture's name begins so")
    document = json.loads(data.read_text())
    document["categories"][0]["name"] = "tram"
    data.write_text(json.dumps(document))
    fails(command(*arguments), 2, "does not know the class tram; --classes bus measures the others")
    document["categories"][1]["name"] = "boat"
    data.write_text(json.dumps(document))
    fails(command(*arguments), 2, "not know the class tram, boat; it knows car, bus; rename the cl")


def test_problems_are_told_and_kept(command: Any, data: Path, model: Path) -> None:
    document = json.loads(data.read_text())
    document["images"] += [{"id": 50 + n, "file_name": f"gone{n}.png"} for n in range(7)]
    data.write_text(json.dumps(document))
    done = command("eval", "coco", "--annotations", data, "--model", model, "--json")
    notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert notes[0].startswith("note: set.json: gone0.png: no such picture in ")
    assert len(notes) == 6 and notes[-1] == "note: and 2 more; report.json has all"
    assert len(json.loads(done.out)["problems"]) == 7


def test_work_that_fails(command: Any, data: Path, model: Path, tmp_path: Path) -> None:
    coco = ("eval", "coco", "--annotations")
    fails(command(*coco, tmp_path / "gone.json"), 1, r"gone\.json: no such file or folder")
    fails(command(*coco, data, "--model", "bin-fac"), 1, "no model 'bin-fac'")
    fails(command(*coco, data, "--model", tmp_path / "gone.pth"), 1, r"gone\.pth")
    fails(command(*coco, data, "--model", "rb-siamfc"), 1, "is for tracking/siamfc, but detection")
    fails(command(*coco, data, "--model", model, "--score", "2"), 2, "--score")
    document = json.loads(data.read_text()) | {"annotations": []}
    data.write_text(json.dumps(document))
    fails(command(*coco, data, "--model", model), 1, "no object to be found in any picture")


def test_a_picture_that_does_not_decode(command: Any, data: Path, model: Path) -> None:
    path = data.parent / "set" / "IR_c.png"
    path.write_bytes(path.read_bytes()[:40])
    done = command("eval", "coco", "--annotations", data, "--model", model)
    fails(done, 1, r"IR_c\.png: cannot be decoded as an image")


@pytest.mark.parametrize("package", ["pycocotools", "matplotlib"])
def test_missing_packages_are_found_before_the_work(
    command: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    out = tmp_path / "out"
    done = command("eval", "coco", "--annotations", data, "--out", out)
    fails(done, 1, f"needs the package {package}, which is not .*binvision\\[eval\\]")
    assert not out.exists()
