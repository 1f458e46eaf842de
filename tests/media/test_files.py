"""Files that are written whole or not at all, by one process or many."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from binvision.errors import SinkError
from binvision.media import files
from binvision.media.files import write_atomically


def test_what_a_killed_process_left_beside_is_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host, old = files._host(), time.time() - 4000
    parts = {
        "dead": tmp_path / f".a.txt.{host}.{dead.pid}-7.partial",
        "of another file": tmp_path / f".b.txt.{host}.{dead.pid}-7.partial",
        "living": tmp_path / f".a.txt.{host}.{os.getppid()}-7.partial",
        "elsewhere, new": tmp_path / ".a.txt.another-host.1-7.partial",
        "elsewhere, old": tmp_path / ".a.txt.another-host.2-7.partial",
    }
    for part in parts.values():
        part.write_text("half")
    os.utime(parts["elsewhere, old"], (old, old))
    write_atomically(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    gone = {"dead", "elsewhere, old"}
    assert {name for name, part in parts.items() if not part.exists()} == gone


def test_names_with_brackets_are_no_patterns(tmp_path: Path) -> None:
    other = tmp_path / f".a.txt.{files._host()}.999999999-7.partial"
    other.write_text("of a.txt")
    write_atomically(tmp_path / "[a].txt", "x")
    assert other.exists()


def test_files_that_many_write_are_always_whole(tmp_path: Path) -> None:
    """Processes write one file again and again while it is read."""
    code = (
        "import sys, pathlib\n"
        "from binvision.media.files import write_atomically\n"
        "for _ in range(60): write_atomically(pathlib.Path(sys.argv[1]), sys.argv[2] * 9999)\n"
    )
    path = tmp_path / "shared.txt"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), mark]) for mark in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(path.read_text())
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen | {path.read_text()} <= {"a" * 9999, "b" * 9999}
    assert [child.name for child in tmp_path.iterdir()] == ["shared.txt"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"file/report\.json: cannot write: "):
        write_atomically(tmp_path / "file" / "report.json", "{}")
