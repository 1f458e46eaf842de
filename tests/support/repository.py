"""Where things lie in the checkout, and which modules there are."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOT", "ROOMS", "module_names", "source_files"]

ROOT = Path(__file__).resolve().parents[2]

# Folders at the root that are subpackages through a relative link below binvision/.
ROOMS = ("classifiers", "configs", "detectors", "kernels", "landmarks", "trackers")


def source_files(package: str) -> list[Path]:
    """Python files of ``binvision/<package>``, links followed, in order of their names."""
    folder = (ROOT / "binvision" / package).resolve()
    return sorted(folder.rglob("*.py"))


def module_names(package: str) -> list[str]:
    """Dotted names of every module in ``binvision/<package>``, found on disk."""
    folder = (ROOT / "binvision" / package).resolve()
    names = []
    for path in source_files(package):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        names.append(".".join(("binvision", package, *parts)))
    return names
