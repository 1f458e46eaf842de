"""Which world each module may load: what runs on the edge never loads the training world."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import module_names, source_files

INFERENCE_ROOMS = (
    "cli",
    "detectors",
    "kernels",
    "landmarks",
    "media",
    "runtime",
    "trackers",
    "zoo",
)

# The modules of inference rooms that are the training world, and so may load torch.
TRAINING_MODULES = {
    f"binvision.{room}.{name}"
    for room, names in {
        "detectors": (
            "exporting",
            "guidance",
            "losses",
            "model",
            "scenes",
            "torch_network",
            "training",
            "validation",
        ),
        "landmarks": (
            "crops",
            "exporting",
            "losses",
            "model",
            "torch_network",
            "training",
        ),
        "trackers": (
            "box_exporting",
            "box_losses",
            "box_model",
            "box_training",
            "correlation_layers",
            "exporting",
            "guidance",
            "losses",
            "model",
            "pairs",
            "torch_box_network",
            "torch_embedder",
            "training",
        ),
    }.items()
    for name in names
}

FORBIDDEN = ("torch", "torchvision", "mmengine")
KERNEL_IMPORTS = {"llvmlite", "numba", "numpy"}  # llvmlite is the face of numba's intrinsics

# Imports each named module afresh and prints which forbidden packages it asked for. They are
# refused rather than loaded: torch cannot be loaded twice in one process, and a request counts
# even where the module would have caught the error.
PROBE = """
import importlib, importlib.abc, json, sys

names, forbidden = json.loads(sys.argv[1]), json.loads(sys.argv[2])
asked = []

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            asked.append(name)
            raise ModuleNotFoundError(f"refused: {name}", name=name)

sys.meta_path.insert(0, Refuse())
found = {}
for name in names:
    for loaded in list(sys.modules):
        if loaded.partition(".")[0] == "binvision":
            del sys.modules[loaded]
    asked.clear()
    try:
        importlib.import_module(name)
    except ImportError:
        if not asked:
            raise
    found[name] = sorted(set(asked))
print(json.dumps(found))
"""


def requests_of(names: list[str], forbidden: tuple[str, ...]) -> dict[str, list[str]]:
    """What each module asks for, out of ``forbidden``, in an interpreter of its own."""
    command = [sys.executable, "-c", PROBE, json.dumps(names), json.dumps(forbidden)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def imported_packages(path: Path) -> set[str]:
    """Top-level names that a file imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("room", INFERENCE_ROOMS)
def test_inference_modules_leave_the_training_world_alone(room: str) -> None:
    names = [name for name in module_names(room) if name not in TRAINING_MODULES]
    assert names, f"no module found in {room}"
    asked = requests_of(names, FORBIDDEN)
    assert {name: what for name, what in asked.items() if what} == {}


def test_training_modules_are_what_the_list_says() -> None:
    """A module on the list that loads no torch belongs to inference and must leave the list."""
    rooms = ("detectors", "landmarks", "trackers")
    assert TRAINING_MODULES <= {name for room in rooms for name in module_names(room)}
    asked = requests_of(sorted(TRAINING_MODULES), FORBIDDEN)
    assert [name for name, what in asked.items() if not what] == []


@pytest.mark.parametrize("path", source_files("kernels"), ids=lambda path: path.name)
def test_kernels_import_arrays_and_the_compiler_only(path: Path) -> None:
    allowed = KERNEL_IMPORTS | set(sys.stdlib_module_names)
    foreign = {
        name
        for name in imported_packages(path)
        if name.partition(".")[0] not in allowed and not name.startswith("binvision.kernels")
    }
    assert foreign == set()


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("numpy", "numba", "cv2", "torch", "mmengine", "rich", "typer", "safetensors")
    assert requests_of(["binvision", "binvision.errors"], heavy) == {
        "binvision": [],
        "binvision.errors": [],
    }


def test_tracker_is_had_without_the_training_world() -> None:
    code = (
        "import sys, binvision; binvision.Tracker, binvision.TrackResult\n"
        "print(sorted({'torch', 'mmengine'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
