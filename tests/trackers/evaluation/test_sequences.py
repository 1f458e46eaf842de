from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from binvision.errors import DataError
from binvision.media.images import read_image
from binvision.trackers.evaluation.folder_layout import find_sequences
from tests.support.repository import ROOT
from tests.support.sequences import moving_boxes, write_sequence

REAL = Path(os.environ.get("BINVISION_DATA", ROOT.parent / "shared" / "data")) / "tracking"


@pytest.mark.parametrize("separator", [",", "\t", " ", ", ", ";"])
@pytest.mark.parametrize(("layout", "origin"), [("folder", 0), ("otb", 1)])
def test_reads_both_layouts_and_all_separators(tmp_path, layout, origin, separator):
    boxes = moving_boxes(5)
    boxes[2, 0] = 4.25
    write_sequence(tmp_path, "Walk", boxes, layout=layout, separator=separator)
    (sequence,) = find_sequences([tmp_path])
    assert (sequence.name, sequence.layout, sequence.origin) == ("Walk", layout, origin)
    assert [path.name for path in sequence.frames] == [f"{i:04d}.jpg" for i in range(1, 6)]
    np.testing.assert_array_equal(sequence.truth_xywh, boxes)


def test_pools_roots_and_layouts_and_takes_a_sequence_as_root(tmp_path):
    write_sequence(tmp_path / "mine", "b", moving_boxes(3))
    write_sequence(tmp_path / "mine", "a", moving_boxes(3))
    single = write_sequence(tmp_path / "otb", "Deer", moving_boxes(4), layout="otb")
    found = find_sequences([tmp_path / "mine", single])
    assert [sequence.name for sequence in found] == ["a", "b", "Deer"]


def test_absent_targets_are_not_visible(tmp_path):
    boxes = moving_boxes(5)
    boxes[1] = np.nan
    boxes[3, 2] = 0
    write_sequence(tmp_path, "a", boxes)
    (sequence,) = find_sequences([tmp_path])
    assert sequence.visible.tolist() == [True, False, True, False, True]


def test_frames_are_ordered_by_number_even_where_digits_run_out(tmp_path):
    folder = write_sequence(tmp_path, "a", moving_boxes(3))
    for old, new in (("0001", "9"), ("0002", "10"), ("0003", "100")):
        (folder / f"{old}.jpg").rename(folder / f"{new}.jpg")
    (sequence,) = find_sequences([tmp_path])
    assert [path.stem for path in sequence.frames] == ["9", "10", "100"]


def test_otb_ranges_and_several_targets(tmp_path):
    write_sequence(tmp_path, "Football1", moving_boxes(74), layout="otb", frames=80)
    write_sequence(tmp_path, "David", moving_boxes(471), layout="otb", frames=770)
    folder = write_sequence(tmp_path, "Jogging", moving_boxes(4), layout="otb")
    (folder / "groundtruth_rect.txt").rename(folder / "groundtruth_rect.1.txt")
    (folder / "groundtruth_rect.2.txt").write_text("9,9,3,3\n" * 4)
    human = write_sequence(tmp_path, "Human4", moving_boxes(4), layout="otb")
    (human / "groundtruth_rect.txt").rename(human / "groundtruth_rect.2.txt")
    (human / "groundtruth_rect.1.txt").write_text("\n")
    found = {sequence.name: sequence for sequence in find_sequences([tmp_path], "otb")}
    assert sorted(found) == ["David", "Football1", "Human4", "Jogging.1", "Jogging.2"]
    assert found["David"].frames[0].stem == "0300"
    assert found["Football1"].frames[-1].stem == "0074"
    assert found["Jogging.2"].truth_xywh[0].tolist() == [9, 9, 3, 3]


class TestErrors:
    def test_missing_root(self, tmp_path):
        with pytest.raises(DataError, match=r"nowhere: no such folder; --root expects"):
            find_sequences([tmp_path / "nowhere"])

    def test_root_without_sequences(self, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match=r"no sequences found; expected NAME/\*\.jpg with NAME"):
            find_sequences([tmp_path])

    def test_folder_layout_is_not_otb(self, tmp_path):
        write_sequence(tmp_path, "a", moving_boxes(3))
        with pytest.raises(
            DataError, match=r"expected NAME/img/\*\.jpg with NAME/groundtruth_rect"
        ):
            find_sequences([tmp_path], "otb")

    def test_pictures_without_ground_truth(self, tmp_path):
        (write_sequence(tmp_path, "a", moving_boxes(3)) / "groundtruth.txt").unlink()
        with pytest.raises(DataError, match=r"a: 3 pictures but no groundtruth\.txt"):
            find_sequences([tmp_path])

    def test_fewer_boxes_than_frames(self, tmp_path):
        write_sequence(tmp_path, "a", moving_boxes(3), frames=5)
        with pytest.raises(DataError, match=r"a/groundtruth\.txt: 3 boxes for 5 pictures"):
            find_sequences([tmp_path])

    @pytest.mark.parametrize(("layout", "place"), [("folder", "a"), ("otb", "a/img")])
    def test_missing_frame_is_named(self, tmp_path, layout, place):
        write_sequence(tmp_path, "a", moving_boxes(6), layout=layout)
        (tmp_path / place / "0004.jpg").unlink()
        with pytest.raises(DataError, match=rf"6 boxes for 5 pictures.*{place}/0004\.jpg is miss"):
            find_sequences([tmp_path])

    def test_empty_otb_ground_truth(self, tmp_path):
        folder = write_sequence(tmp_path, "a", moving_boxes(3), layout="otb")
        (folder / "groundtruth_rect.txt").write_text("\n")
        with pytest.raises(DataError, match=r"groundtruth_rect\.txt: holds no box"):
            find_sequences([tmp_path])

    def test_otb_without_pictures(self, tmp_path):
        write_sequence(tmp_path, "a", moving_boxes(3), layout="otb", frames=0)
        with pytest.raises(DataError, match=r"groundtruth_rect\.txt: 3 boxes for 0 pictures"):
            find_sequences([tmp_path])

    def test_two_sequences_of_one_name(self, tmp_path):
        write_sequence(tmp_path / "x", "a", moving_boxes(3))
        write_sequence(tmp_path / "y", "a", moving_boxes(3), layout="otb")
        with pytest.raises(DataError, match=r"two sequences are called a: .*x/a and .*y/a; rename"):
            find_sequences([tmp_path / "x", tmp_path / "y"])

    def test_a_root_that_is_given_twice(self, tmp_path):
        write_sequence(tmp_path / "x", "a", moving_boxes(3))
        (tmp_path / "y").symlink_to(tmp_path / "x")
        with pytest.raises(DataError, match=r"y/a: given twice; name each --root once"):
            find_sequences([tmp_path / "x", tmp_path / "y"])

    def test_a_folder_in_place_of_the_truth(self, tmp_path):
        folder = write_sequence(tmp_path, "a", moving_boxes(3))
        (folder / "groundtruth.txt").rename(folder / "boxes.txt")
        (folder / "groundtruth_rect.txt").mkdir()
        with pytest.raises(DataError, match=r"a: 3 pictures but no groundtruth\.txt$"):
            find_sequences([tmp_path])

    def test_one_bad_sequence_of_many_can_be_left_out(self, tmp_path):
        write_sequence(tmp_path, "a", moving_boxes(3), frames=2)
        write_sequence(tmp_path, "b", moving_boxes(3))
        with pytest.raises(DataError, match=r"a/ground.*; --keep-going evaluates the others$"):
            find_sequences([tmp_path])

    def test_a_bad_line_is_named(self, tmp_path):
        folder = write_sequence(tmp_path, "a", moving_boxes(3))
        (folder / "groundtruth.txt").write_text("1,2,3,4\n1,2,3,4,5,6,7,8\n1,2,3,4\n")
        with pytest.raises(DataError, match=r"a/groundtruth\.txt.*line 2: expected four numbers"):
            find_sequences([tmp_path])

    def test_first_box_without_area(self, tmp_path):
        boxes = moving_boxes(4)
        boxes[0] = np.nan
        write_sequence(tmp_path, "a", boxes)
        with pytest.raises(DataError, match=r"line 1: the target has no box with area, or is hid"):
            find_sequences([tmp_path])

    def test_nothing_to_score_after_the_first_frame(self, tmp_path):
        boxes = moving_boxes(4)
        boxes[1:] = np.nan
        write_sequence(tmp_path, "a", boxes)
        with pytest.raises(DataError, match=r"only one frame has a box; expected at least two"):
            find_sequences([tmp_path])


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real sequences in {REAL}; set BINVISION_DATA")
def test_reads_every_real_sequence():
    sequences = find_sequences([REAL / "open", REAL / "otb"])
    assert len(sequences) == 12
    assert {sequence.layout for sequence in sequences} == {"folder", "otb"}
    for sequence in sequences:
        height, width = read_image(sequence.frames[-1]).shape[:2]
        boxes = sequence.truth_xywh[sequence.visible]
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        assert (centres > 0).all() and (centres < [width, height]).all(), sequence.name
