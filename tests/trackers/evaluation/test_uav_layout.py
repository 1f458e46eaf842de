from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from binvision.errors import DataError
from binvision.trackers.evaluation.benchmarks import BENCHMARKS
from binvision.trackers.evaluation.sequences import Found
from binvision.trackers.evaluation.toolkit_lists import Span, uav_spans
from tests.support.benchmark_trees import Clip, Uav, write_uav

pytest.importorskip("got10k")
from got10k.datasets import UAV123

# bird1_1 and bird1_2 are parts of one folder.
SHORT = [Uav("uav6", "uav6", 1, 109), Uav("bird1_1", "bird1", 1, 253),
         Uav("bird1_2", "bird1", 775, 1477)]  # fmt: skip
SPARSE = [Uav("uav6", "uav6", 1, 37), Uav("bird1_1", "bird1", 1, 85),
          Uav("bird1_2", "bird1", 259, 493)]  # fmt: skip
LONG = [Uav("car3", "car3", 1, 1717)]


@pytest.fixture
def root(tmp_path: Path, clip: Clip) -> Path:
    return write_uav(tmp_path / "UAV123", clip, "UAV123", SHORT)


def find(root: Path, benchmark: str = "uav123") -> Found:
    return BENCHMARKS[benchmark].find([root], keep_going=True)


@pytest.mark.parametrize(("title", "parts"), [("UAV123", SHORT), ("UAV20L", LONG)])
def test_reads_what_the_toolkit_reads(
    tmp_path: Path, clip: Clip, title: str, parts: list[Uav]
) -> None:
    root = write_uav(tmp_path / title, clip, title, parts)
    theirs = UAV123(str(root), title)
    found = find(root, title.lower())
    assert [sequence.name for sequence in found.sequences] == theirs.seq_names
    assert len(found.skipped) == len(uav_spans(title)) - len(parts)
    for sequence, (frames, boxes) in zip(found.sequences, theirs, strict=True):
        assert [str(path) for path in sequence.frames] == frames
        np.testing.assert_array_equal(sequence.truth_xywh, boxes)
        assert np.flatnonzero(~sequence.visible).tolist() == [2]
        assert (sequence.layout, sequence.origin) == ("uav", 1)
        assert sequence.attributes == ("SV", "FM", "SOB")


def test_the_sparse_version_is_every_third_picture(tmp_path: Path, clip: Clip) -> None:
    root = write_uav(tmp_path / "UAV123_10fps", clip, "UAV123_10fps", SPARSE)
    found = {sequence.name: sequence for sequence in find(root, "uav123_10fps").sequences}
    assert {name: (s.frames[0].stem, s.frames[-1].stem, len(s)) for name, s in found.items()} == {
        "uav6": ("000001", "000037", 37),
        "bird1_1": ("000001", "000085", 85),
        "bird1_2": ("000259", "000493", 235),
    }
    assert found["bird1_2"].frames[0].parent == root / "data_seq" / "UAV123_10fps" / "bird1"


def test_spans_are_those_of_the_official_configurations() -> None:
    text = resources.files("got10k.datasets").joinpath("uav123.json").read_text()
    for title, count in (("UAV123", 123), ("UAV20L", 20)):
        config = json.loads(text)[title]
        assert len(config) == count
        assert uav_spans(title) == {
            name: (facts["folder_name"], facts["start_frame"], facts["end_frame"])
            for name, facts in config.items()
        }
    # The toolkit lacks this one: from the benchmark's configSeqs.m.
    sparse = uav_spans("UAV123_10fps")
    assert len(sparse) == 123
    for name, span in {
        "bike1": Span("bike1", 1, 1029),
        "bird1_2": Span("bird1", 259, 493),
        "bird1_3": Span("bird1", 525, 813),
        "boat6": Span("boat6", 1, 269),
        "car1_s": Span("car1_s", 1, 492),
        "car2_s": Span("car2_s", 1, 107),
        "car6_5": Span("car6", 1309, 1621),
        "group3_4": Span("group3", 1457, 1843),
        "person1_s": Span("person1_s", 1, 534),
        "person19_3": Span("person19", 931, 1453),
        "person2_s": Span("person2_s", 1, 84),
        "truck4_2": Span("truck4", 193, 421),
        "uav1_3": Span("uav1", 825, 1157),
        "wakeboard7": Span("wakeboard7", 1, 67),
    }.items():
        assert sparse[name] == span


def test_missing_sequences_are_named(root: Path) -> None:
    with pytest.raises(
        DataError, match=r"UAV123: 120 of the 123 sequences of UAV123 are missing: bike1, .*"
        r" and 112 more; --keep-going evaluates the others$"
    ):  # fmt: skip
        BENCHMARKS["uav123"].find([root])
    reasons = dict(find(root).skipped)
    assert "anno/UAV123/bike1.txt: boxes cannot be read (No such file" in reasons["bike1"]
    (root / "anno" / "UAV123" / "uav5.txt").write_text("1,2,3,4\n" * 139)
    reasons = dict(find(root).skipped)
    assert reasons["uav5"].endswith("UAV123/uav5: no such folder; expected pictures 000001.jpg "
                                    "and on")  # fmt: skip


def test_damage_is_named(root: Path) -> None:
    (root / "data_seq" / "UAV123" / "bird1" / "000800.jpg").unlink()
    (root / "data_seq" / "UAV123" / "bird1" / "000900.jpg").unlink()
    (root / "anno" / "UAV123" / "uav6.txt").write_text("1,2,3,4\n" * 108)
    found = find(root)
    reasons = dict(found.skipped)
    assert [sequence.name for sequence in found.sequences] == ["bird1_1"]
    assert reasons["bird1_2"].endswith(
        "UAV123/bird1/000800.jpg: no such picture; bird1_2 is 000775.jpg to 001477.jpg of this "
        "folder, and 2 of them are missing"
    )
    assert reasons["uav6"].endswith(
        "uav6.txt: 108 boxes for 109 pictures; expected one box a picture"
    )


@pytest.mark.parametrize(
    "flags", ["1,0,0", "1,0,0,0,0,0,0,0,0,0,0,0,1", "1,0,0,0,0,0,0,0,0,0,0,2", "no flags"]
)
def test_wrong_attributes_are_named(root: Path, flags: str) -> None:
    (root / "anno" / "UAV123" / "att" / "uav6.txt").write_text(flags)
    reasons = dict(find(root).skipped)
    assert "att/uav6.txt: expected 12 flags 0 or 1, one for each of SV, ARC," in reasons["uav6"]


def test_attributes_may_be_missing(root: Path) -> None:
    (root / "anno" / "UAV123" / "att" / "uav6.txt").unlink()
    attributes = {sequence.name: sequence.attributes for sequence in find(root).sequences}
    assert attributes["uav6"] == () and attributes["bird1_1"] == ("SV", "FM", "SOB")
