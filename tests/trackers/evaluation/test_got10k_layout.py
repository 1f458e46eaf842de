from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from binvision.errors import DataError, UsageError
from binvision.trackers.evaluation.benchmarks import BENCHMARKS
from binvision.trackers.evaluation.protocols import plan_runs
from binvision.trackers.evaluation.sequences import LEAVE_OUT, Found
from tests.support.benchmark_trees import Clip, write_got10k

pytest.importorskip("got10k")
from got10k.datasets import GOT10k

NAMES = {
    split: [f"GOT-10k_{split.title()}_{number:06d}" for number in (1, 2, 10)]
    for split in ("val", "test")
}


@pytest.fixture
def root(tmp_path: Path, clip: Clip) -> Path:
    for split, names in NAMES.items():
        write_got10k(tmp_path / "GOT-10k", clip, split, names)
    return tmp_path / "GOT-10k"


def find(root: Path, split: str | None = None, keep_going: bool = False) -> Found:
    return BENCHMARKS["got10k"].find([root], keep_going, split)


def test_reads_what_the_toolkit_reads(root: Path) -> None:
    found = find(root)
    theirs = GOT10k(str(root), "val", return_meta=True)
    assert [sequence.name for sequence in found.sequences] == theirs.seq_names == NAMES["val"]
    for sequence, (frames, boxes, meta) in zip(found.sequences, theirs, strict=True):
        assert [str(path) for path in sequence.frames] == frames
        np.testing.assert_array_equal(sequence.truth_xywh, boxes)
        np.testing.assert_array_equal(sequence.cover, meta["cover"])
        np.testing.assert_array_equal(sequence.visible, meta["absence"] == 0)
        assert str(sequence.resolution_wh) == meta["resolution"]
        assert sequence.attributes == (meta["root_class"], meta["motion_class"])
        assert (sequence.layout, sequence.origin, sequence.scored) == ("got10k", 1, True)


def test_the_test_split_has_only_its_first_boxes(root: Path) -> None:
    found = find(root, "test")
    theirs = GOT10k(str(root), "test")
    assert [sequence.name for sequence in found.sequences] == theirs.seq_names == NAMES["test"]
    for sequence, (frames, boxes) in zip(found.sequences, theirs, strict=True):
        assert [str(path) for path in sequence.frames] == frames
        np.testing.assert_array_equal(sequence.truth_xywh[:1], boxes)
        assert np.isnan(sequence.truth_xywh[1:]).all() and len(sequence) == 6
        assert not sequence.scored
        assert plan_runs(sequence.visible, 1) == (range(6),)


def test_which_split_is_read(root: Path) -> None:
    def read(place: Path, split: str | None = None) -> list[str]:
        return [sequence.name for sequence in find(place, split).sequences]

    assert read(root) == read(root, "val") == NAMES["val"]
    assert read(root / "val") == read(root / "val", "val") == NAMES["val"]
    assert read(root / "test") == read(root / "test", "test") == NAMES["test"]
    with pytest.raises(DataError, match=r"val: this is the split val, but --split is test"):
        read(root / "val", "test")
    (root / "val").rename(root / "other")
    assert read(root / "other") == NAMES["val"]
    assert read(root) == NAMES["test"]
    with pytest.raises(DataError, match=r"GOT-10k/val: no such folder; GOT-10k's split is missing"):
        read(root, "val")
    with pytest.raises(UsageError, match=r"--split test: otb50 has no splits; only got10k has"):
        BENCHMARKS["otb50"].find([root], split="test")


def test_the_list_decides(root: Path) -> None:
    (root / "val" / "list.txt").write_text(f"\n{NAMES['val'][2]}\r\n{NAMES['val'][0]}\n")
    assert [s.name for s in find(root).sequences] == [NAMES["val"][2], NAMES["val"][0]]


def test_absence_is_read_where_there_is_no_cover(root: Path) -> None:
    (root / "val" / NAMES["val"][0] / "cover.label").unlink()
    sequence, other, _ = find(root).sequences
    assert sequence.cover is not None
    assert sequence.cover.tolist() == [8, 8, 8, 0, 8, 8]
    (root / "val" / other.name / "cover.label").unlink()
    (root / "val" / other.name / "absence.label").unlink()
    (root / "val" / other.name / "meta_info.ini").unlink()
    bare = find(root).sequences[1]
    assert (bare.cover, bare.attributes, bare.resolution_wh) == (None, (), None)
    assert bare.visible.tolist() == [True] * 3 + [False] + [True] * 2  # -1,-1,-1,-1 has no area


DAMAGE = {
    "cover.label": [
        ("8\n8\n", r"cover\.label: 2 labels for 6 boxes; expected one a box"),
        ("8\n9\n8\n8\n8\n8\n", r"cover\.label: expected numbers 0 to 8, one a line; found '9'"),
    ],
    "groundtruth.txt": [
        ("1,2,3,4\n", r"groundtruth\.txt: 1 boxes for 6 pictures"),
        ("1,2,3\n", r"groundtruth\.txt, line 1: expected four numbers"),
        ("", r"groundtruth\.txt: holds no box"),
        ("1,2,0,4\n" * 6, r"groundtruth\.txt: line 1: the target has no box with area"),
    ],
    "meta_info.ini": [
        ("resolution: (1, 2)\n", r"meta_info\.ini: expected \[METAINFO\] and lines key: value"),
        (
            "[METAINFO]\nresolution: 64x48\n",
            r"meta_info\.ini: resolution: expected \(width, height\), found '64",
        ),
        (
            "[METAINFO]\nresolution: (0, 48)\n",
            r"meta_info\.ini: resolution: expected \(width, height\), found '\(0",
        ),
    ],
}


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [(file, *case) for file, cases in DAMAGE.items() for case in cases],
)
def test_damage_is_named_or_skipped(root: Path, file: str, content: str, message: str) -> None:
    name = NAMES["val"][1]
    (root / "val" / name / file).write_text(content)
    with pytest.raises(DataError, match=rf"val/{name}/{message}") as error:
        find(root)
    assert "\n" not in str(error.value)
    found = find(root, keep_going=True)
    assert [sequence.name for sequence in found.sequences] == [NAMES["val"][0], NAMES["val"][2]]
    ((skipped, reason),) = found.skipped
    assert skipped == name and str(error.value) == f"{reason}; {LEAVE_OUT}"


@pytest.mark.parametrize("split", NAMES)
def test_a_missing_picture_is_named(root: Path, split: str) -> None:
    name = NAMES[split][1]
    (root / split / name / "00000003.jpg").unlink()
    with pytest.raises(
        DataError, match=rf"{split}/{name}/00000003\.jpg: no such picture, but there are later ones"
    ):
        find(root, split)


def test_a_missing_last_picture_is_noticed(root: Path) -> None:
    (root / "val" / NAMES["val"][1] / "00000006.jpg").unlink()
    with pytest.raises(DataError, match=r"groundtruth\.txt: 6 boxes for 5 pictures; expected one"):
        find(root)


def test_a_sequence_that_only_the_list_knows(root: Path) -> None:
    name = NAMES["val"][1]
    shutil.rmtree(root / "val" / name)
    with pytest.raises(
        DataError, match=rf"val: 1 of the 3 sequences of GOT-10k val are missing: {name}; --keep-go"
    ):
        find(root)
    assert find(root, keep_going=True).skipped == (
        (name, f"{root}/val/{name}: no such folder, but list.txt names it"),
    )


def test_nothing_is_left(root: Path) -> None:
    for name in NAMES["val"]:
        (root / "val" / name / "groundtruth.txt").unlink()
    with pytest.raises(DataError, match=r"none of 3 sequences can be evaluated; .*000001/ground"):
        find(root, keep_going=True)
    (root / "val" / "list.txt").write_text("\n")
    with pytest.raises(DataError, match=r"val/list\.txt: is empty; expected the names of the"):
        find(root)
    (root / "val" / "list.txt").unlink()
    with pytest.raises(DataError, match=r"val/list\.txt: cannot be read \(No such file or dir"):
        find(root)


@pytest.mark.parametrize("file", ["cover.label", "meta_info.ini", "groundtruth.txt"])
def test_what_cannot_be_read_is_no_traceback(root: Path, file: str) -> None:
    path = root / "val" / NAMES["val"][0] / file
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=rf"{file}: .*cannot be read \("):
        find(root)
