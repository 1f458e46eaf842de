"""Names of classes as users give them."""

from __future__ import annotations

import pytest

from binvision.detectors.classes import class_indices
from binvision.errors import UsageError


def test_names_are_found_whatever_their_case() -> None:
    assert class_indices(["Bus", "car"], ("car", "bus")) == [1, 0]
    assert class_indices([], ("car",)) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cra", "unknown class 'cra': the model knows Car, bus; did you mean 'Car'"),
        ("aeroplane", "unknown class 'aeroplane': the model knows Car, bus$"),
        ("", "unknown class ''"),
    ],
)
def test_unknown_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        class_indices([name], ("Car", "bus"))
