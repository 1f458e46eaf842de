"""Hooks for mmengine's Runner: rebuildable checkpoints and a progress bar."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
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


@HOOKS.register_module()
class RecordHook(Hook):
    """Makes checkpoints self-contained, and readable with ``weights_only=True``.

    Adds ``binvision`` (how to rebuild the network, how it was trained) and leaves mmengine's log
    history out: it consists of pickled classes, which ``torch.load`` refuses since 2.6. After
    a resume only the smoothing of logged losses starts anew.
    """

    priority = "VERY_LOW"

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
            },
        }
        checkpoint["message_hub"] = {
            "log_scalars": {},
            "runtime_info": {},
            "resumed_keys": {},
        }


@HOOKS.register_module()
class ProgressHook(Hook):
    """A progress bar with the losses and the time left, on stderr, in the first process."""

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

    def after_train(self, runner: Runner) -> None:
        """Leave the finished bar on the screen."""
        if runner.rank == 0:
            self._bar.update(self._task, completed=runner.iter)
            self._bar.stop()


def _plain(value: Any) -> Any:
    """Configuration values as built-in types, which alone ``weights_only=True`` admits."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
