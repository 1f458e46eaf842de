"""Rows of results that outlive their run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from binvision import __version__
from binvision.errors import DataError, SinkError, UsageError
from binvision.media.kept_rows import KeptRows, identity

HEAD = {"model": "m", "score": 0.5}


def rows_of(path: Path, head: dict[str, Any] | None = None) -> KeptRows[int]:
    return KeptRows(path, head or HEAD, lambda row: int(row["value"]))


def test_rows_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    first = rows_of(path)
    assert first.earlier == []
    for value in (3, 4):
        first.add({"value": value})
    first.close()
    again = rows_of(path)
    assert again.earlier == [3, 4]
    again.add({"value": 5})
    again.close()
    last = rows_of(path)
    assert last.earlier == [3, 4, 5]
    last.close()


def test_a_line_that_was_cut_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    first = rows_of(path)
    first.add({"value": 3})
    first.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"value": ')
    again = rows_of(path)
    assert again.earlier == [3] and path.read_bytes() == whole
    again.close()


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows_of(path).close()
    with pytest.raises(
        UsageError, match=r"rows\.jsonl: was made with another extra, score; choose"
    ):
        rows_of(path, {"model": "m", "score": 0.7, "extra": 1})
    path.write_text(json.dumps(HEAD) + "\n{}\n")
    with pytest.raises(DataError, match=r"cannot read what was found earlier: 'value'"):
        rows_of(path)
    path.write_text("[]\nnothing\n")
    with pytest.raises(DataError, match="cannot read what was found earlier"):
        rows_of(path)
    with pytest.raises(SinkError, match="cannot write"):
        rows_of(tmp_path)


def test_identity_tells_models_apart(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"one")
    first = identity("m", path, score=0.5)
    assert list(first) == ["model", "sha256", "score", "binvision"]
    assert first["binvision"] == __version__
    path.write_bytes(b"two")
    assert identity("m", path, score=0.5)["sha256"] != first["sha256"]
