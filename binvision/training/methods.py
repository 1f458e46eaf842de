"""What binarisation methods do between the steps of training."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from binvision.binary import BinaryConv2d
from binvision.training.teaching import StageTeacher

__all__ = ["MethodHook"]


@HOOKS.register_module()
class MethodHook(Hook):
    """Tells parts how far the schedule is, and lets them change latent weights after a step.

    Where a method asks for it, the network's own past teaches it.
    """

    def __init__(self) -> None:
        self._teacher: StageTeacher | None = None
        self._resumed: dict[str, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Find the parts once."""
        model = getattr(runner.model, "module", runner.model)
        modules = list(model.modules())
        layers = [module for module in modules if isinstance(module, BinaryConv2d)]
        self._progress = [
            buffer
            for module in modules
            for name, buffer in module.named_buffers(recurse=False)
            if name == "progress"
        ]
        self._weights = [
            (layer.quantizer, layer.weight) for layer in layers if layer.quantizer is not None
        ]
        if any("attention" in layer.method.losses for layer in layers):
            self._teacher = StageTeacher(getattr(model, "network", model))
            if self._resumed is not None:
                self._teacher.load(self._resumed)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set every ``progress`` to the share of the schedule that is done."""
        if self._teacher is not None:
            self._teacher.advance(
                runner.iter / runner.max_iters, (runner.iter - 1) / runner.max_iters
            )
        for buffer in self._progress:
            buffer.fill_(runner.iter / runner.max_iters)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Let each quantiser change its latent weights in place."""
        with torch.no_grad():
            for quantizer, latent in self._weights:
                quantizer.after_step(latent)

    def after_train(self, runner: Runner) -> None:
        """Let the network run without a teacher."""
        if self._teacher is not None:
            self._teacher.remove()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the teacher while it is needed."""
        if self._teacher is not None and self._teacher.teaches and runner.iter < runner.max_iters:
            checkpoint["stage_teacher"] = self._teacher.state()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Find the teacher again."""
        self._resumed = checkpoint.get("stage_teacher")
