"""Hooks for mmengine's Runner: rebuildable checkpoints and a progress bar."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["ProgressHook", "RecordHook"]

_SHOWN = ("AP", "AP50")  # of the figures of a validation


@HOOKS.register_module()
class RecordHook(Hook):
    """Makes checkpoints self-contained, and readable with ``weights_only=True``.

    Adds ``binvision`` (how to rebuild the network, how it was trained, what the last validation
    found) and leaves mmengine's log
    history out: it consists of pickled classes, which ``torch.load`` refuses since 2.6. After
    a resume only the smoothing of logged losses starts anew.
    """

    priority = "VERY_LOW"

    def __init__(self) -> None:
        self._validation: dict[str, float] = {}

    def before_val(self, runner: Runner) -> None:
        """Let every process measure what the first one saves: their running statistics differ."""
        for buffer in runner.model.buffers():
            broadcast(buffer)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep what was measured; the checkpoint of this step was written before, and gets it."""
        self._validation = {"iteration": runner.iter, **_by_name(metrics)}
        path = Path(runner.work_dir) / f"iter_{runner.iter}.pth"
        if runner.rank == 0 and path.is_file():
            content = torch.load(path, map_location="cpu", weights_only=True)
            content["binvision"]["training"]["validation"] = self._validation
            partial = path.with_suffix(".part")
            torch.save(content, partial)
            os.replace(partial, path)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Put the record in, take the log history out."""
        model = getattr(runner.model, "module", runner.model)
        network = getattr(model.network, "module", model.network)
        config = runner.cfg
        checkpoint["binvision"] = {
            "task": network.task,
            "network": _plain(asdict(network.config)),
            "training": {
                "experiment": runner.experiment_name,
                "iterations": runner.iter + 1,
                "seed": runner.seed,
                "world_size": runner.world_size,
                **_plain(config.get("record", {})),
                **({"validation": self._validation} if self._validation else {}),
            },
        }
        checkpoint["message_hub"] = {
            "log_scalars": {},
            "runtime_info": {},
            "resumed_keys": {},
        }


@HOOKS.register_module()
class ProgressHook(Hook):
    """A progress bar with the losses and the time left, on stderr, in the first process.

    Above it stands a line for each validation.
    """

    priority = "LOW"

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval

    def before_train(self, runner: Runner) -> None:
        """Draw the bar."""
        if runner.rank != 0:
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(
            runner.experiment_name, total=runner.max_iters, completed=runner.iter, losses=""
        )
        self._bar.start()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Advance the bar."""
        if runner.rank != 0:
            return
        if self.every_n_train_iters(runner, self.interval):
            shown = {k: v for k, v in (outputs or {}).items() if isinstance(v, torch.Tensor)}
            losses = "  ".join(f"{k} {float(v.detach()):.3f}" for k, v in shown.items())
            self._bar.update(self._task, completed=runner.iter + 1, losses=losses)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Print the figures above the bar."""
        if runner.rank == 0:
            shown = {name: value for name, value in _by_name(metrics).items() if name in _SHOWN}
            figures = ", ".join(f"{name} {value:.3f}" for name, value in shown.items())
            self._bar.console.print(f"step {runner.iter}: {figures}", highlight=False)

    def after_train(self, runner: Runner) -> None:
        """Leave the finished bar on the screen."""
        if runner.rank == 0:
            self._bar.update(self._task, completed=runner.iter)
            self._bar.stop()


def _by_name(metrics: dict[str, float] | None) -> dict[str, float]:
    """Figures by their names without mmengine's prefix, which says what measured them."""
    return {name.rpartition("/")[2]: float(value) for name, value in (metrics or {}).items()}


def _plain(value: Any) -> Any:
    """Configuration values as built-in types, which alone ``weights_only=True`` admits."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
