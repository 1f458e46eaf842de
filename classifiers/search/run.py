"""From the configuration of a search to a genotype."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.registry import init_default_scope
from rich.console import Console

from binvision.binary.registry import unknown
from binvision.classifiers.search.child_parent import search_cells
from binvision.classifiers.search.evolution import search_widths
from binvision.classifiers.search.genotype import write_genotype
from binvision.classifiers.search.setting import Setting
from binvision.errors import ConfigError
from binvision.training.memory import keep_freed_memory
from binvision.training.run import TrainingRequest, prepare_config

__all__ = ["search"]

Search = Callable[[Setting], tuple[Mapping[str, Any], Mapping[str, Any]]]

# By ``search.type`` of a configuration.
_SEARCHES: dict[str, Search] = {
    "bnas": search_cells,
    "cp_nas": search_cells,
    "shen": search_widths,
}


def search(request: TrainingRequest) -> Path:
    """Search an architecture to the end.

    Returns:
        ``genotype.json`` in the work directory: for ``binvision train --genotype``.

    Raises:
        ConfigError: The configuration is none of a search, or a key of it does not exist.
        DataError: The pictures are missing.
    """
    config = prepare_config(request)
    if "search" not in config:
        raise ConfigError(
            f"{request.config} has nothing to search; take search/cp_nas, or train with "
            f"'binvision train {request.config}'"
        )
    kind = config.search.pop("type")
    if kind not in _SEARCHES:
        raise ConfigError(unknown("search", kind, _SEARCHES))
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    cv2.setNumThreads(1)
    if not torch.cuda.is_available():
        keep_freed_memory()
    console = Console(stderr=True)
    with redirect_stdout(sys.stderr):  # where mmengine tells of its steps
        init_default_scope("mmengine")
        setting = Setting(
            config, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
        )
        backbone, record = _SEARCHES[kind](setting)
    path = request.work_dir / "genotype.json"
    write_genotype(path, kind, backbone, {**setting.record, **record})
    return path
