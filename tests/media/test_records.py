"""From JSON to dataclasses: values that may be absent."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from binvision.errors import DataError
from binvision.media.records import decode


@dataclass(frozen=True)
class Row:
    """What may be null, and what may not."""

    figures: dict[str, float | None]
    name: str


def test_null_where_it_is_allowed() -> None:
    row = decode(Row, {"figures": {"a": 1, "b": None}, "name": "x"}, "file")
    assert row == Row({"a": 1.0, "b": None}, "x")
    with pytest.raises(DataError, match="file: figures: a: expected a number, found 'x'"):
        decode(Row, {"figures": {"a": "x"}, "name": "x"}, "file")
    with pytest.raises(DataError, match="file: name: expected text, found None"):
        decode(Row, {"figures": {}, "name": None}, "file")
