"""README and docs: links lead somewhere, commands exist, code runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import binvision
from benchmarks import method_page
from binvision.binary import ESTIMATORS, METHODS
from binvision.classifiers.exporting import pack_checkpoint
from binvision.cli.app import app
from binvision.export.verify import verify
from binvision.training.run import TrainingRequest, train
from tests.support.checkpoints import write_classifier
from tests.support.detection_models import street, write_detector
from tests.support.labelled_pictures import CLASSES, write_pictures
from tests.support.landmark_models import draw_chart
from tests.support.landmark_scenes import gallery, write_models
from tests.support.pages import PAGES, anchors, blocks, commands, links
from tests.support.program import PAGE as REFERENCE
from tests.support.program import Command, commands_of, render
from tests.support.repository import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

README = ROOT / "README.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


COMMANDS = commands_of(app)
CALLS = [(page, call) for page in PAGES for call in commands(page)]


def find_command(words: list[str]) -> tuple[Command, list[str]]:
    for length in range(1, len(words) + 1):
        if tuple(words[:length]) in COMMANDS:
            return COMMANDS[tuple(words[:length])], words[length:]
    raise AssertionError(f"no such command: binvision {' '.join(words)}")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        name, _, fragment = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page_id(page)}: {target}"
        assert not fragment or fragment in anchors(file), f"{page_id(page)}: {target}"


def test_readme_leads_to_every_page() -> None:
    reached = {(ROOT / target.partition("#")[0]).resolve() for target in links(README)}
    assert [page_id(page) for page in PAGES if page not in {README, *reached}] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_pages_have_one_title(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)) == 1


def test_there_are_calls_to_check() -> None:
    assert {call[0] for _, call in CALLS} >= {"demo", "track", "models", "info", "train", "export"}


@pytest.mark.parametrize("call", [call for _, call in CALLS], ids=" ".join)
def test_documented_calls_fit_the_program(call: list[str]) -> None:
    command, words = find_command(call)
    options = {name: option for option in command.options for name in option.names}
    given, used = 0, []
    while words:
        word, *words = words
        if not re.match(r"--?[a-z]", word):
            given += 1
            continue
        assert word in options, f"{word}: no option of binvision {' '.join(command.path)}"
        used.append(options[word])
        if options[word].value:
            assert words, f"{word} needs a value"
            words = words[1:]
    repeated = {option.names for option in used if used.count(option) > 1}
    assert not [names for names in repeated if not options[names[0]].repeatable]
    assert [option for option in command.options if option.required and option not in used] == []
    required = [argument for argument in command.arguments if argument.required]
    most = given if any(a.repeatable for a in command.arguments) else len(command.arguments)
    assert len(required) <= given <= most


def test_reference_is_what_the_program_says() -> None:
    """Where this fails: python -m tests.support.program --write."""
    assert REFERENCE.read_text(encoding="utf-8") == render(app)


def test_methods_are_those_of_the_package() -> None:
    """Where this fails: python -m benchmarks.methods page."""
    assert method_page.PAGE.read_text(encoding="utf-8") == method_page.render()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: " ".join(command.path))
def test_help_says_what_it_does_and_gives_an_example(command: Command) -> None:
    first, *rest = command.help.splitlines()
    assert first.endswith(".")
    assert any(line.startswith(f"Example: binvision {' '.join(command.path)}") for line in rest)
    assert [parameter.names for parameter in command.parameters if not parameter.help] == []


def test_readme_has_two_commands_of_one_line() -> None:
    lines = [line for line in README.read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if line.startswith("python3 -m venv ")]
    assert [line + "\n" in blocks(README, "bash") for line in found] == [True, True]
    assert "binvision demo track" in found[0]
    assert "pytest" in found[1]


def test_readme_names_the_extras_and_the_base_install() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:binvision|[.`])\[([a-z]+)\]", text))
    assert named == set(PROJECT["optional-dependencies"])
    sentence = re.search(r"The base install is ([^.]+)\.", text)
    assert sentence is not None
    shown = re.split(r",\s+|\s+and\s+", sentence.group(1).lower())
    base = {re.match(r"[a-z0-9]+", name).group() for name in PROJECT["dependencies"]}
    assert set(shown) == base


def test_readme_python_runs() -> None:
    """On a frame of noise: the target is found where it was, and no face."""
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (240, 320, 3), np.uint8)
    scope = {
        "binvision": binvision,
        "frame": frame,
        "next_frame": frame,
        "box_xywh": (120, 80, 64, 64),
    }
    (block,) = blocks(README, "python")
    exec(compile(block, str(README), "exec"), scope)
    assert scope["result"].box_xywh == pytest.approx((120, 80, 64, 64), abs=8)
    assert 0 <= scope["result"].score <= 1
    assert len(scope["faces"].boxes) == 0


def test_detection_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The three lines of the page, with a detector and a picture of ours."""
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.jpg", street(cars=[(2, 5)]))
    write_detector(tmp_path / "colours")
    page = ROOT / "docs" / "howto" / "detect_objects.md"
    (block,) = blocks(page, "python")
    scope: dict[str, Any] = {"binvision": binvision, "cv2": cv2}
    exec(compile(block.replace("bin-face", "colours"), str(page), "exec"), scope)
    assert scope["names"] == ["car"]
    assert scope["boxes"].shape == (1, 4) and scope["scores"].shape == (1,)


def test_a_new_method_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two files of the page train, and their checkpoint is packed."""
    page = ROOT / "docs" / "howto" / "add_a_method.md"
    method, config = blocks(page, "python")
    assert len([line for line in method.splitlines() if line.strip()]) <= 30
    (tmp_path / "bnnplus.py").write_text(method)
    (tmp_path / "cifar10_bnnplus.py").write_text(config)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    data = write_pictures(tmp_path / "pictures.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        last = train(
            TrainingRequest(
                "cifar10_bnnplus.py",
                tmp_path / "run",
                data=data,
                iterations=3,
                threads=1,
                overrides={
                    "train_dataloader.batch_size": "4",
                    "model.network.input_size": "8",
                    "model.network.backbone.channels": "(8, 16)",
                    "model.network.backbone.blocks": "(1, 1)",
                },
            )  # fmt: skip
        )
        packed, network, _ = pack_checkpoint(last, name="bnnplus", accuracy={})
        assert verify(network, packed, (8, 8)) < 1e-5
        x = torch.linspace(-1.5, 1.5, 13, dtype=torch.float64, requires_grad=True)
        ESTIMATORS["swish"](x).sum().backward()
        at = x.detach().numpy()
        slope = 5 * (2 - 5 * at * np.tanh(2.5 * at)) / (1 + np.cosh(5 * at))
        np.testing.assert_allclose(x.grad, slope)
    finally:
        METHODS.pop("bnnplus", None)
        ESTIMATORS.pop("swish", None)
        sys.modules.pop("bnnplus", None)


def test_classification_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of the page, with a classifier of ours."""
    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "cifar10.safetensors")
    (block,) = blocks(ROOT / "docs" / "howto" / "train_a_classifier.md", "python")
    scope: dict[str, Any] = {"binvision": binvision, "picture": np.zeros((50, 40, 3), np.uint8)}
    exec(compile(block, "train_a_classifier.md", "exec"), scope)
    assert scope["name"] in CLASSES and scope["probabilities"].sum() == pytest.approx(1)


def test_alignment_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of both pages, with models and pictures of ours."""
    monkeypatch.chdir(tmp_path)
    faces, people = write_models(tmp_path)
    cv2.imwrite("photo.jpg", gallery([(32, 64)]))
    cv2.imwrite("jump.jpg", draw_chart(np.full((90, 200, 3), 128, np.uint8), (50, 30, 99, 25), 14))
    scope: dict[str, Any] = {"binvision": binvision, "cv2": cv2}
    for name, model in (("align_faces", faces), ("estimate_pose", people)):
        page = ROOT / "docs" / "howto" / f"{name}.md"
        (block,) = blocks(page, "python")
        block = re.sub(r"hpm-[a-z0-9]+|pose14.safetensors", model.as_posix(), block)
        exec(compile(block, str(page), "exec"), scope)
    ((jaw, left_eye, pose),) = scope["outlines"]
    assert jaw.shape == (17, 2) and left_eye.shape == (6, 2) and len(pose) == 3
    assert scope["hand"].confidence > 0.3
