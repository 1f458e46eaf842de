"""The backbone benchmark runs, and its whole is the sum that it claims."""

from __future__ import annotations

import re

import pytest

from benchmarks import backbones


def test_smoke(capsys: pytest.CaptureFixture[str]) -> None:
    backbones.main(["--rounds", "1", "--steps", "2", "--backbones", "residual"])
    printed = capsys.readouterr().out
    (whole,) = re.findall(r"residual +whole +([\d.]+) +(\d+) +(\d+)", printed)
    assert float(whole[0]) > 0
    assert (int(whole[1]), int(whole[2])) == (1302, 165)  # three regions of 434 and 55 M
    assert "stem" in printed and "isa" in printed
