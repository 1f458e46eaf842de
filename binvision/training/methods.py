"""What binarisation methods do between the steps of training."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from binvision.binary import BinaryConv2d

__all__ = ["MethodHook"]


@HOOKS.register_module()
class MethodHook(Hook):
    """Tells parts how far the schedule is, and lets them change latent weights after a step."""

    def before_train(self, runner: Runner) -> None:
        """Find the parts once."""
        modules = list(runner.model.modules())
        self._progress = [
            buffer
            for module in modules
            for name, buffer in module.named_buffers(recurse=False)
            if name == "progress"
        ]
        self._weights = [
            (layer.quantizer, layer.weight)
            for layer in modules
            if isinstance(layer, BinaryConv2d) and layer.quantizer is not None
        ]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set every ``progress`` to the share of the schedule that is done."""
        for buffer in self._progress:
            buffer.fill_(runner.iter / runner.max_iters)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Let each quantiser change its latent weights in place."""
        with torch.no_grad():
            for quantizer, latent in self._weights:
                quantizer.after_step(latent)
