"""Result files: whole or not there, in the toolkit's places, never taken from another tracker."""

from __future__ import annotations

import os
import threading
import zipfile

import numpy as np
import pytest

from binvision.errors import DataError, UsageError
from binvision.trackers.evaluation.protocols import Track
from binvision.trackers.evaluation.results import ResultStore
from tests.support.benchmark_trees import write_got10k


def track(frames: int = 3, start: float = 0.0) -> Track:
    boxes = start + np.arange(4.0 * frames).reshape(frames, 4)
    return Track(boxes, np.full(frames, 0.125))


@pytest.mark.parametrize(
    ("benchmark", "protocol", "starts", "files"),
    [
        ("got10k", "got10k", 1, ["GOT-10k/t/s/s_001.txt", "GOT-10k/t/s/s_time.txt"]),
        ("folder", "got10k", 1, ["folder/t/s/s_001.txt", "folder/t/s/s_time.txt"]),
        ("otb2013", "otb", 1, ["OTB2013/t/s.txt", "OTB2013/t/times/s_time.txt"]),
        ("otb50", "otb", 1, ["OTBtb50/t/s.txt", "OTBtb50/t/times/s_time.txt"]),
        ("otb100", "otb", 1, ["OTB2015/t/s.txt", "OTB2015/t/times/s_time.txt"]),
        ("uav123", "uav", 1, ["UAV123/t/s.txt", "UAV123/t/times/s_time.txt"]),
        ("uav20l", "uav", 1, ["UAV20L/t/s.txt", "UAV20L/t/times/s_time.txt"]),
        (
            "otb2013",
            "otb",
            4,
            [f"OTB2013-starts4/t/s/s_{what}.txt" for what in ("001", "002", "003", "004", "time")],
        ),
    ],
)
def test_files_lie_where_the_toolkit_looks(tmp_path, benchmark, protocol, starts, files):
    store = ResultStore.of_benchmark(tmp_path, benchmark, protocol, starts)
    tracks = tuple(track(start=run) for run in range(starts))
    assert store.load("t", "s", starts, 3) is None
    store.save("t", "s", tracks)
    root = tmp_path / "results"
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert found == files
    assert (root / files[0]).read_text().splitlines()[0] == "0.000,1.000,2.000,3.000"
    loaded = store.load("t", "s", starts, 3)
    assert loaded is not None and len(loaded) == starts
    for one, other in zip(loaded, tracks, strict=True):
        np.testing.assert_array_equal(one.boxes_xywh, other.boxes_xywh)
        np.testing.assert_array_equal(one.seconds, other.seconds)


def test_the_toolkit_packs_results_and_nothing_else(tmp_path, clip):
    """GOT-10k's server takes the folder of a tracker: what made the results lies beside it."""
    toolkit = pytest.importorskip("got10k.experiments")
    names = ["GOT-10k_Test_000001", "GOT-10k_Test_000002"]
    write_got10k(tmp_path, clip, "test", names)
    store = ResultStore.of_benchmark(tmp_path / "out", "got10k", "got10k", 1)
    store.claim("t", {"kind": "still"})
    for name in names:
        store.save("t", name, (track(6),))
    experiment = toolkit.ExperimentGOT10k(str(tmp_path), "test", str(tmp_path / "out" / "results"))
    experiment.report(["t"])
    with zipfile.ZipFile(tmp_path / "out" / "results" / "GOT-10k" / "t.zip") as archive:
        files = sorted(name for name in archive.namelist() if not name.endswith("/"))
    assert files == [f"{name}/{name}_{what}.txt" for name in names for what in ("001", "time")]


@pytest.mark.parametrize("protocol", ["got10k", "otb"])
def test_a_sequence_is_finished_with_its_last_file(tmp_path, protocol, monkeypatch):
    """Killed after each write and before each rename: finished is only what is complete."""
    replace, left = os.replace, [0]

    def dying(source, target):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        replace(source, target)

    monkeypatch.setattr(os, "replace", dying)
    store = ResultStore(tmp_path, protocol)
    for writes in range(2):
        left[0] = writes
        with pytest.raises(KeyboardInterrupt):
            store.save("t", "s", (track(),))
        assert store.load("t", "s", 1, 3) is None
    left[0] = 2
    store.save("t", "s", (track(),))
    assert store.load("t", "s", 1, 3) is not None


def test_only_one_of_two_trackers_gets_a_name(tmp_path):
    refused, barrier = [], threading.Barrier(2)

    def claim(version: int) -> None:
        barrier.wait()
        try:
            ResultStore(tmp_path).claim("t", {"kind": "still", "version": version})
        except UsageError as error:
            refused.append((version, str(error)))

    for _ in range(20):
        refused.clear()
        threads = [threading.Thread(target=claim, args=(version,)) for version in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ((version, message),) = refused
        assert message.startswith(f"{tmp_path / 't.json'}: results of t were made with another ver")
        ResultStore(tmp_path).claim("t", {"kind": "still", "version": 3 - version})
        (tmp_path / "t.json").unlink()


def test_a_claim_on_a_disk_without_links(tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError("not supported")

    monkeypatch.setattr(os, "link", no_links)
    ResultStore(tmp_path).claim("t", {"version": 1})
    with pytest.raises(UsageError, match="another version"):
        ResultStore(tmp_path).claim("t", {"version": 2})
    assert [child.name for child in tmp_path.iterdir()] == ["t.json"]


def test_damaged_results_are_named(tmp_path):
    store = ResultStore(tmp_path)
    store.save("t", "s", (track(),))
    folder = tmp_path / "t" / "s"
    (folder / "s_time.txt").write_text("fast\n")
    remedy = r"; delete .*/t/s/s_001\.txt to run the sequence again"
    with pytest.raises(DataError, match=r"/t/s/s_time\.txt: cannot read times: .*" + remedy):
        store.load("t", "s", 1, 3)
    (folder / "s_time.txt").write_text("1,1\n" * 3)
    with pytest.raises(
        DataError, match=r"s_time\.txt: expected 3 lines of 1 times, found 3 of 2" + remedy
    ):
        store.load("t", "s", 1, 3)
    (folder / "s_time.txt").write_text("")
    with pytest.raises(DataError, match=r"expected 3 lines of 1 times, found 0 of 0" + remedy):
        store.load("t", "s", 1, 3)
    (folder / "s_time.txt").write_text("1\n" * 3)
    (folder / "s_001.txt").write_text("1,2,3,4\n" * 2)
    with pytest.raises(DataError, match=r"s_001\.txt: 2 tracked boxes for 3 frames" + remedy):
        store.load("t", "s", 1, 3)
    (folder / "s_001.txt").write_text("1,2,3\n")
    with pytest.raises(DataError, match=r"s_001\.txt, line 1: expected four numbers.*" + remedy):
        store.load("t", "s", 1, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "cannot read what made these results: "), ("[]", "expected an object .*, found \\[\\]")],
)
def test_a_damaged_claim_is_named(tmp_path, content, message):
    (tmp_path / "t.json").write_text(content)
    remedy = "; choose another --out, or delete this file and the folder t beside it$"
    with pytest.raises(DataError, match=rf"/t\.json: {message}.*{remedy}"):
        ResultStore(tmp_path).claim("t", {})
