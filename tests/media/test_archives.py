"""Archives of photographs, and the store of decoded pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from binvision.errors import DataError
from binvision.media.archives import DecodedPictures, read_archive
from tests.support.photographs import write_archive


def test_pictures_and_further_arrays(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "photos.npz", 4)
    codes, further = read_archive(path, "photograph archive", optional=("boxes", "names"))
    assert len(codes) == 4 and all(code[:2].tolist() == [0xFF, 0xD8] for code in codes)
    assert set(further) == {"boxes"} and further["boxes"].shape == (2, 5)
    with pytest.raises(DataError, match="arrays 'jpeg', 'offsets' and 'names'"):
        read_archive(path, "photograph archive", required=("names",))


def test_decoded_pictures_stay_while_there_is_room() -> None:
    decoded: list[str] = []
    store = DecodedPictures(room=100)

    def get(name: str, size: int) -> np.ndarray:
        def decode() -> np.ndarray:
            decoded.append(name)
            return np.full(size, ord(name), np.uint8)

        return store.get(name, decode)

    for name, size in [("a", 60), ("b", 41), ("c", 40), ("a", 60), ("b", 41), ("c", 40)]:
        assert (get(name, size) == ord(name)).all() and len(get(name, size)) == size
    # b fits beside neither a nor c, and is decoded each time.
    assert "".join(decoded) == "abbcbb"
