from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from binvision.errors import DataError
from binvision.trackers.evaluation.benchmarks import BENCHMARKS
from binvision.trackers.evaluation.otb_layout import ATTRIBUTES
from binvision.trackers.evaluation.sequences import Sequence
from binvision.trackers.evaluation.toolkit_lists import otb_folders
from tests.support.benchmark_trees import Clip, write_otb

pytest.importorskip("got10k")
from got10k.datasets import OTB

VERSIONS = {"otb2013": (2013, 51), "otb50": ("tb50", 50), "otb100": ("tb100", 100)}


@pytest.fixture(scope="module")
def otb(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Path:
    """All of OTB100, which holds the other two lists."""
    return write_otb(tmp_path_factory.mktemp("OTB"), clip, otb_folders("OTB100"))


@pytest.fixture
def part(otb: Path, tmp_path: Path) -> Any:
    """Copies of some folders, to be damaged."""

    def copy(*names: str) -> Path:
        for name in names:
            shutil.copytree(otb / name, tmp_path / "part" / name)
        return tmp_path / "part"

    return copy


def by_name(sequences: tuple[Sequence, ...]) -> dict[str, Sequence]:
    return {sequence.name: sequence for sequence in sequences}


@pytest.mark.parametrize("benchmark", VERSIONS)
def test_reads_what_the_toolkit_reads(otb: Path, benchmark: str) -> None:
    version, count = VERSIONS[benchmark]
    theirs = OTB(str(otb), version, download=False)
    found = BENCHMARKS[benchmark].find([otb])
    assert len(found.sequences) == count and not found.skipped
    assert [sequence.name for sequence in found.sequences] == theirs.seq_names
    for sequence, (frames, boxes) in zip(found.sequences, theirs, strict=True):
        assert [str(path) for path in sequence.frames] == frames, sequence.name
        if sequence.name == "Tiger1":
            assert np.isnan(sequence.truth_xywh[:5]).all()
            np.testing.assert_array_equal(sequence.truth_xywh[5:], boxes[5:])
        else:
            np.testing.assert_array_equal(sequence.truth_xywh, boxes, sequence.name)
        assert sequence.origin == 1 and sequence.layout == "otb"


def test_odd_sequences(otb: Path) -> None:
    found = by_name(BENCHMARKS["otb100"].find([otb]).sequences)
    spans = {
        name: (int(found[name].frames[0].stem), int(found[name].frames[-1].stem), len(found[name]))
        for name in ("BlurCar1", "David", "Diving", "Football1", "Freeman3", "Freeman4", "Tiger1")
    }
    assert spans == {
        "BlurCar1": (247, 250, 4),
        "David": (300, 770, 471),
        "Diving": (1, 215, 215),
        "Football1": (1, 74, 74),
        "Freeman3": (1, 460, 460),
        "Freeman4": (1, 283, 283),
        "Tiger1": (1, 354, 354),
    }
    assert np.flatnonzero(found["Tiger1"].visible)[0] == 5
    for name in ("Jogging", "Skating2"):
        first, second = found[f"{name}.1"], found[f"{name}.2"]
        assert first.frames == second.frames
        np.testing.assert_array_equal(second.truth_xywh - first.truth_xywh, [[3, 0, 0, 0]] * 4)
    assert "Human4" in found and not any(name.startswith("Human4.") for name in found)


def test_attributes_where_a_copy_carries_them(otb: Path, part: Any) -> None:
    found = by_name(BENCHMARKS["otb100"].find([otb]).sequences)
    assert found["Crossing"].attributes == ("SV", "DEF", "FM", "OPR", "BC")
    assert found["Walking"].attributes == ("SV", "OCC", "DEF")
    assert found["Car4"].attributes == ("IV", "SV")
    assert found["Deer"].attributes == ()
    root = part("Crossing")
    (root / "Crossing" / "attrs.txt").write_text(" ".join(ATTRIBUTES) + "\n")
    assert BENCHMARKS["otb"].find([root]).sequences[0].attributes == ATTRIBUTES
    (root / "Crossing" / "attrs.txt").write_text("SV, DFE")
    with pytest.raises(DataError, match=r"attrs\.txt: 'DFE' is no attribute of OTB; expected some"):
        BENCHMARKS["otb"].find([root])


def test_copies_that_are_already_cut_are_read_as_they_are(part: Any) -> None:
    root = part("David", "Football1")
    for number in range(1, 300):
        (root / "David" / "img" / f"{number:04d}.jpg").unlink()
    for number in range(75, 81):
        (root / "Football1" / "img" / f"{number:04d}.jpg").unlink()
    lengths = {s.name: len(s) for s in BENCHMARKS["otb"].find([root]).sequences}
    assert lengths == {"David": 471, "Football1": 74}


def test_pictures_missing_outside_the_span_do_not_matter(part: Any) -> None:
    root = part("David")
    (root / "David" / "img" / "0100.jpg").unlink()
    (sequence,) = BENCHMARKS["otb"].find([root]).sequences
    assert sequence.frames[0].stem == "0300" and len(sequence) == 471
    (root / "David" / "img" / "0500.jpg").unlink()
    with pytest.raises(DataError, match=r"471 boxes for 470 pictures.*David/img/0500\.jpg is miss"):
        BENCHMARKS["otb"].find([root])


def test_missing_sequences_are_named(part: Any) -> None:
    root = part("Deer", "Jogging")
    with pytest.raises(
        DataError,
        match=r"part: 48 of the 50 folders of OTB2013 are missing: Basketball, Bolt, Boy, Car4, "
        r"CarDark, CarScale, Coke, Couple and 40 more; --keep-going evaluates the others$",
    ):
        BENCHMARKS["otb2013"].find([root])
    found = BENCHMARKS["otb2013"].find([root], keep_going=True)
    assert [sequence.name for sequence in found.sequences] == ["Deer", "Jogging.1", "Jogging.2"]
    assert len(found.skipped) == 48
    name, reason = found.skipped[0]
    assert name == "Basketball"
    assert "part/Basketball/groundtruth_rect.txt: boxes cannot be read (No such file" in reason


def test_one_bad_target_does_not_take_the_other_with_it(part: Any) -> None:
    root = part("Jogging")
    (root / "Jogging" / "groundtruth_rect.1.txt").write_text("1,2,3,4\n")
    found = BENCHMARKS["otb"].find([root], keep_going=True)
    assert [sequence.name for sequence in found.sequences] == ["Jogging.2"]
    assert [name for name, _ in found.skipped] == ["Jogging.1"]
