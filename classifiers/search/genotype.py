"""What a search has found, as a file that training reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from binvision.errors import DataError

__all__ = ["read_genotype", "write_genotype"]

_FORMAT, _VERSION = "binvision genotype", 1


def write_genotype(
    path: Path, search: str, backbone: Mapping[str, Any], record: Mapping[str, Any]
) -> None:
    """Write the backbone that a search has found.

    Args:
        path: JSON file; written beside and renamed.
        search: Which search, such as ``"cp_nas"``.
        backbone: Arguments of :func:`binvision.backbones.build_backbone`.
        record: How it was found: data, schedule, figures.
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "search": search,
        "backbone": backbone,
        "record": record,
    }
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def read_genotype(path: Path) -> dict[str, Any]:
    """Return the backbone of such a file.

    Raises:
        DataError: The file is missing, or no such file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT or content["version"] != _VERSION:
            raise ValueError(f"{content['format']!r}, version {content['version']!r}")
        backbone = content["backbone"]
        if not isinstance(backbone.get("type"), str):
            raise ValueError("its backbone has no type")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not a genotype of 'binvision search' ({error}); pass the genotype.json of "
            f"its work directory"
        ) from error
    return dict(backbone)
