"""What is built and installed: one package, its linked rooms, its data, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from binvision.binary.results import RESULTS
from tests.support.repository import ROOMS, ROOT, module_names

PACKAGED = ("LICENSE", "README.md", "pyproject.toml", "binvision", *ROOMS)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the sdist and the wheel that is made from it, built from a copy."""
    pytest.importorskip("build")
    source = tmp_path_factory.mktemp("source")
    rubbish = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for name in PACKAGED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, symlinks=True, ignore=rubbish)
        else:
            shutil.copy2(path, source / name)
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def wheel_names(built: Path) -> set[str]:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def sdist_names(built: Path) -> set[str]:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def expected_files() -> set[str]:
    """Every file that an installed binvision needs, as paths below the root."""
    package = ROOT / "binvision"
    found = {"binvision/py.typed"}
    for folder, _, files in os.walk(package, followlinks=True):
        for name in files:
            path = Path(folder, name)
            in_zoo = path.parent == package / "zoo" and path.suffix in {".safetensors", ".md"}
            if path.suffix == ".py" or in_zoo or path == RESULTS:
                found.add(path.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize("name", ROOMS)
def test_rooms_are_relative_links(name: str) -> None:
    link = ROOT / "binvision" / name
    assert link.is_symlink()
    assert os.readlink(link) == f"../{name}"


def test_no_other_links_below_the_package() -> None:
    links = {path.name for path in (ROOT / "binvision").rglob("*") if path.is_symlink()}
    assert links == set(ROOMS)


def test_wheel_top_level_is_binvision_alone(wheel_names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_names}
    info = {top for top in tops if top.endswith(".dist-info")}
    assert len(info) == 1
    assert tops - info == {"binvision"}


def test_wheel_holds_every_module_config_and_model(wheel_names: set[str]) -> None:
    held = {name for name in wheel_names if name.startswith("binvision/")}
    assert held == expected_files()


def test_sdist_holds_every_module_config_and_model(sdist_names: set[str]) -> None:
    assert expected_files() - sdist_names == set()
    assert not [name for name in sdist_names if name.partition("/")[0] in ROOMS]


def test_wheel_carries_the_licence_and_the_command(built: Path, wheel_names: set[str]) -> None:
    (wheel,) = built.glob("*.whl")
    (entry_points,) = [name for name in wheel_names if name.endswith("/entry_points.txt")]
    assert any(name.endswith("/licenses/LICENSE") for name in wheel_names)
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(entry_points).decode()
    assert "binvision = binvision.cli.app:main" in text


def test_unpacked_wheel_imports_from_itself(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    rooms = ("kernels", "detectors", "landmarks")
    names = [name for room in rooms for name in module_names(room)]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    print(importlib.import_module(name).__file__)"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    files = done.stdout.split()
    assert len(files) == len(names)
    assert all(Path(file).is_relative_to(tmp_path) for file in files)
