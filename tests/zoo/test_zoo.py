"""Shipped models: found by name, each with a card that tells the truth about its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from binvision import runtime, zoo
from binvision.errors import ModelFileError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b-net", "a-net"):
        (tmp_path / f"{name}.safetensors").touch()
        (tmp_path / f"{name}.md").write_text(f"# {name}\n")
    monkeypatch.setattr(zoo, "_FOLDER", tmp_path)
    return tmp_path


def test_names_are_sorted(folder: Path) -> None:
    assert zoo.names() == ["a-net", "b-net"]


def test_find_by_name(folder: Path) -> None:
    assert zoo.find("b-net") == folder / "b-net.safetensors"


def test_find_by_path(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.touch()
    assert zoo.find(str(other)) == zoo.find(other) == other


def test_a_shipped_name_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a-net").touch()
    monkeypatch.chdir(elsewhere)
    assert zoo.find("a-net") == folder / "a-net.safetensors"
    assert zoo.find("./a-net") == Path("a-net")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a-nett", "no model 'a-nett': .* one of a-net, b-net, got neither; did you mean 'a-net'?"),
        ("zzz", "no model 'zzz': .* got neither; `binvision models` lists them"),
    ],
)
def test_find_unknown(folder: Path, name: str, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        zoo.find(name)


def test_card(folder: Path) -> None:
    assert zoo.card("a-net") == "# a-net\n"
    with pytest.raises(ModelFileError, match="no shipped model 'c-net': expected one of a-net"):
        zoo.card("c-net")


@pytest.mark.parametrize("name", zoo.names())
def test_shipped_models(name: str) -> None:
    model = runtime.load(zoo.find(name))
    card = zoo.card(name)
    assert model.name == name
    assert model.provenance and model.accuracy
    assert f"{model.file_bytes:,}" in card, "the card states another size"
    assert any(step.op == "binary_conv" for step in model.steps)
