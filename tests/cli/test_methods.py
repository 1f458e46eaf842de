"""``binvision methods``: the list, one method, and a name that does not exist."""

from __future__ import annotations

import json

import pytest
from mmengine.config import Config

from binvision.binary import METHODS
from binvision.cli.app import main
from binvision.training.run import find_config


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit, match=str(code)):
        main(["methods", *words])
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_the_list_has_every_method(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys)
    assert {*METHODS, "bnas", "cp_nas", "shen"} <= set(out.split())


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("fp", "real convolution"),
        ("activations", "real convolution of signs"),
        ("bwn", "real convolution, kernels of +-1"),
        ("xnor", "XNOR convolution"),
        ("rbcn_matrix", "XNOR convolution, each tap scaled"),
        ("abc", "sum of 9 XNOR convolutions (3 planes x 3 kernels)"),
        ("xnor_k", "PyTorch alone"),
    ],
)
def test_what_a_method_runs_as(name: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, name, "--json")[0])
    assert found["runs_as"] == form and found["name"] == name


def test_one_method_shows_paper_formula_and_parts(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, "bireal")
    assert "ECCV 2018" in out and "eq. 5 and 6" in out
    assert "polynomial" in out and "mean_constant" in out


@pytest.mark.parametrize("name", ["bnas", "cp_nas", "shen"])
def test_a_search_shows_its_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, name)
    assert f"binvision search search/{name} --data" in out and "arXiv" in out
    found = json.loads(run(capsys, name, "--json")[0])
    assert found["kind"] == "search" and found["results"] == []
    assert find_config(found["config"]).is_file()
    assert Config.fromfile(find_config(found["config"])).search.type == name


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, "birael", code=1)
    assert not out and "Did you mean 'bireal'?" in err
