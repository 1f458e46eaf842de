"""The lists of public names against what the modules really hold."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType

import pytest

import binvision
from tests.support.repository import ROOT, module_names

PACKAGES = sorted(
    path.name
    for path in (ROOT / "binvision").iterdir()
    if path.is_dir() and (path / "__init__.py").is_file()
)
MODULES = ["binvision.errors", *(name for package in PACKAGES for name in module_names(package))]


def defined_publicly(module: ModuleType) -> set[str]:
    """Public functions and classes that the module itself defines."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isroutine(value))
        and getattr(value, "__module__", None) == module.__name__
    }


@pytest.mark.parametrize("name", MODULES)
def test_all_matches_the_module(name: str) -> None:
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    if listed is None:
        assert defined_publicly(module) == set(), "public names, but no __all__"
        return
    assert len(listed) == len(set(listed))
    assert [entry for entry in listed if not hasattr(module, entry)] == []
    assert defined_publicly(module) - set(listed) == set()


def test_top_level_names_are_fetched_on_first_use() -> None:
    assert {entry for entry in binvision.__all__ if getattr(binvision, entry) is not None} == set(
        binvision.__all__
    )
    assert dir(binvision) == sorted(binvision.__all__)


def test_every_error_is_at_the_top_level() -> None:
    errors = importlib.import_module("binvision.errors")
    assert set(errors.__all__) <= set(binvision.__all__)


def test_unknown_top_level_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'binvision' has no attribute 'Trakcer'"):
        _ = binvision.Trakcer
