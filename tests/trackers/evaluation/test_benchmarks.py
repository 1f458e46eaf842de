"""What all benchmarks have in common: their names, and roots that are something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from binvision.cli.eval_trackers import BENCHMARKS as ON_THE_COMMAND_LINE
from binvision.errors import BinvisionError, DataError, UsageError
from binvision.trackers.evaluation import toolkit_lists
from binvision.trackers.evaluation.benchmarks import BENCHMARKS
from binvision.trackers.evaluation.protocols import plan_runs, run_tracker
from binvision.trackers.evaluation.rules import rules_for
from tests.support.benchmark_trees import Clip, Uav, write_got10k, write_otb, write_uav
from tests.support.sequences import StillTracker, moving_boxes, write_sequence

pytest.importorskip("got10k")

LISTED = [name for name in BENCHMARKS if name not in ("folder", "otb")]


@pytest.fixture
def trees(tmp_path: Path, clip: Clip) -> dict[str, Path]:
    """A root of each layout."""
    write_got10k(tmp_path / "got10k", clip, "val", ["GOT-10k_Val_000001"])
    write_otb(tmp_path / "otb", clip, ["Deer"])
    for title in ("UAV123", "UAV123_10fps", "UAV20L"):
        write_uav(tmp_path / title.lower(), clip, title, [Uav("uav6", "uav6", 1, 9)])
    write_sequence(tmp_path / "folder", "mine", moving_boxes(3))
    return {path.name: path for path in tmp_path.iterdir()}


def layout_of(benchmark: str) -> str:
    return "otb" if benchmark.startswith("otb") else benchmark


def test_the_command_line_has_them_all() -> None:
    assert list(ON_THE_COMMAND_LINE) == list(BENCHMARKS)
    for name, benchmark in BENCHMARKS.items():
        assert benchmark.name == name
        assert rules_for(name, benchmark.protocol).name in ("folder", benchmark.protocol)


# A folder of GOT-10k's val or of OTB is a folder of sequences, too.
OTHERS = [
    (benchmark, tree)
    for benchmark in BENCHMARKS
    for tree in ("got10k", "otb", "uav123", "uav123_10fps", "uav20l", "folder")
    if tree != layout_of(benchmark) and (benchmark, tree) != ("folder", "otb")
]


@pytest.mark.parametrize(("benchmark", "tree"), OTHERS)
@pytest.mark.parametrize("keep_going", [False, True])
def test_another_benchmark_is_recognised(
    trees: dict[str, Path], benchmark: str, tree: str, keep_going: bool
) -> None:
    names = "otb100, otb50, otb2013 or otb" if tree == "otb" else tree
    with pytest.raises(
        DataError, match=rf"{tree}: no .* found; expected .*; it looks like .*: evaluate {names}$"
    ) as error:
        BENCHMARKS[benchmark].find([trees[tree]], keep_going)
    assert "\n" not in str(error.value)


def test_a_root_one_level_too_high_is_recognised(tmp_path: Path, clip: Clip) -> None:
    write_uav(tmp_path / "a" / "UAV123", clip, "UAV123", [Uav("uav6", "uav6", 1, 9)])
    write_otb(tmp_path / "b" / "OTB", clip, ["Deer"])
    write_got10k(tmp_path / "c" / "full_data", clip, "val", ["x"])
    for parent, child, benchmark in (
        ("a", "UAV123", "uav123"), ("b", "OTB", "otb100"), ("c", "full_data", "got10k")
    ):  # fmt: skip
        with pytest.raises(DataError, match=rf"; {tmp_path}/{parent}/{child} looks right: use it"):
            BENCHMARKS[benchmark].find([tmp_path / parent])


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_no_root_and_nothing_in_it(tmp_path: Path, benchmark: str) -> None:
    with pytest.raises(DataError, match=r"gone: no such folder; --root expects"):
        BENCHMARKS[benchmark].find([tmp_path / "gone"])
    with pytest.raises(DataError, match=r": no .* found; expected [^;]*$"):
        BENCHMARKS[benchmark].find([tmp_path])


@pytest.mark.parametrize("benchmark", LISTED)
def test_a_listed_benchmark_has_one_root(tmp_path: Path, benchmark: str) -> None:
    with pytest.raises(UsageError, match=rf"{benchmark} is one folder; --root is given 2 times"):
        BENCHMARKS[benchmark].find([tmp_path, tmp_path])


@pytest.mark.parametrize("benchmark", [name for name in LISTED if name != "got10k"])
def test_lists_need_the_toolkit(
    trees: dict[str, Path], benchmark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(module: str) -> None:
        raise ImportError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(toolkit_lists, "import_module", missing)
    with pytest.raises(BinvisionError, match=r"sequences is in the got10k toolkit \(No module.*\["):
        BENCHMARKS[benchmark].find([trees[layout_of(benchmark)]])


class Recorder(StillTracker):
    """Remembers what it was started with."""

    def init(self, frame_bgr: np.ndarray, box_xywh: tuple[float, ...]) -> None:
        super().init(frame_bgr, box_xywh)
        self.started = box_xywh


@pytest.mark.parametrize("benchmark", ["got10k", "otb", "uav123_10fps"])
def test_trackers_see_boxes_counted_from_0(tmp_path: Path, clip: Clip, benchmark: str) -> None:
    write_got10k(tmp_path / "got10k", clip, "val", ["GOT-10k_Val_000001"])
    write_otb(tmp_path / "otb", clip, ["Deer"])
    write_uav(tmp_path / "uav123_10fps", clip, "UAV123_10fps", [Uav("uav6", "uav6", 1, 37)])
    (sequence,) = BENCHMARKS[benchmark].find([tmp_path / benchmark], keep_going=True).sequences
    tracker = Recorder()
    track = run_tracker(tracker, sequence, plan_runs(sequence.visible, 1)[0])
    # The patch covers columns 17 to 30 and rows 15 to 28 of the rendered picture.
    assert tracker.started == (17.0, 15.0, 14.0, 14.0)
    assert track.boxes_xywh[0].tolist() == [18.0, 16.0, 14.0, 14.0]


def test_own_sequences_are_skipped_too(tmp_path: Path) -> None:
    write_sequence(tmp_path, "a", moving_boxes(3))
    write_sequence(tmp_path, "b", moving_boxes(3), frames=2)
    write_sequence(tmp_path, "c", moving_boxes(3), layout="otb", frames=2)
    (write_sequence(tmp_path, "d", moving_boxes(3)) / "groundtruth.txt").unlink()
    found = BENCHMARKS["folder"].find([tmp_path], keep_going=True)
    assert [sequence.name for sequence in found.sequences] == ["a"]
    assert [name for name, _ in found.skipped] == ["b", "c", "d"]
    assert found.skipped[2][1] == f"{tmp_path}/d: 3 pictures but no groundtruth.txt"
