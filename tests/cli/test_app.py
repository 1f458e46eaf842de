"""What all commands share: exit codes, one line for an error, help that can be pasted."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

import binvision
from binvision.cli import app as module
from binvision.errors import BoxError, SourceError

COMMANDS = [
    ("track",),
    ("demo", "track"),
    ("models",),
    ("info",),
    ("export",),
    ("eval", "coco"),
    ("eval", "fddb"),
    ("eval", "got10k"),
    ("eval", "folder"),
    ("compare",),
    ("train",),
]


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let ``binvision models`` end with ``error``."""

    def fail() -> None:
        raise error

    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(module._options)
    app.command("models")(module._command(fail))
    monkeypatch.setattr(module, "app", app)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SourceError("clip.mp4: gone"), 1, "error: clip.mp4: gone"),
        (BoxError("box: no area"), 2, "error: box: no area"),
        (SourceError("two\nlines"), 1, "error: two lines"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            1,
            "error: this command needs the package torch, which is not installed: "
            'pip install "binvision[train]"',
        ),
        (
            ModuleNotFoundError("No module named 'got10k.utils'", name="got10k.utils"),
            1,
            "error: this command needs the package got10k, which is not installed: "
            'pip install "binvision[eval]"',
        ),
        (
            ZeroDivisionError("division by zero"),
            1,
            "error: unexpected ZeroDivisionError: division by zero; please report it with the "
            "output of the same command and --debug",
        ),
    ],
)
def test_every_error_is_one_line_and_a_code(
    command: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    raising(monkeypatch, error)
    assert command("models") == (code, "", line + "\n")


@pytest.mark.parametrize("arguments", [("--debug", "models"), ("models", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(
    command: Any, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    raising(monkeypatch, SourceError("clip.mp4: gone"))
    done = command(*arguments)
    assert done.code == 1
    assert done.err.startswith("Traceback (most recent call last)")
    assert done.err.endswith("error: clip.mp4: gone\n")


def test_the_environment_may_ask_for_the_traceback(
    command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(monkeypatch, SourceError("clip.mp4: gone"))
    monkeypatch.setenv("BINVISION_DEBUG", "1")
    assert "Traceback" in command("models").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("trakc",), "trakc"),
        (("track",), "Missing argument 'source'"),
        (("track", "x.mp4", "--initt", "1,2,3,4"), "--initt"),
        (("track", "x.mp4", "--threads", "0"), "'--threads'"),
        (("track", "x.mp4", "--threads", "two"), "'--threads'"),
    ],
)
def test_wrong_use_is_code_two(command: Any, arguments: tuple[str, ...], message: str) -> None:
    """The words are the parser's, and change with its version: they must name the culprit."""
    done = command(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert re.search(message, done.err, re.IGNORECASE), done.err
    assert len(done.err.splitlines()) == 1
    assert "--help" in done.err


def test_version(command: Any) -> None:
    assert command("--version") == (0, f"binvision {binvision.__version__}\n", "")


def test_help_lists_every_command(command: Any) -> None:
    done = command("--help")
    assert done.code == 0
    for path in COMMANDS:
        assert re.search(rf"\b{path[0]}\b", done.out)
    assert "130 interrupted" in " ".join(done.out.split())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_command_explains_itself_with_an_example(command: Any, path: tuple[str, ...]) -> None:
    done = command(*path, "--help")
    assert done.code == 0
    assert f"binvision {' '.join(path)}" in " ".join(done.out.split("Example", 1)[1].split())
    assert "Exit codes: 0 done" in " ".join(done.out.split())
