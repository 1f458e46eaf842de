"""Optimiser wrappers: bfloat16 on CPU or GPU, and one optimiser a submodule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from torch import nn

__all__ = ["Bf16OptimWrapper", "PerModuleConstructor"]


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """Runs the forward pass in bfloat16; master weights and their updates stay float32.

    mmengine's own ``AmpOptimWrapper`` refuses the CPU. bfloat16 has the range of float32, so
    there is no loss scaling. On a CPU without bfloat16 instructions, where it would be emulated
    at a tenth of the speed, all is float32.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast on the device that holds ``model``."""
        device = next(model.parameters()).device.type
        is_fast = device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
        with (
            super().optim_context(model),
            torch.autocast(device, torch.bfloat16, enabled=is_fast),
        ):
            yield


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PerModuleConstructor:
    """Builds an optimiser for each named submodule.

    ``optim_wrapper=dict(constructor="PerModuleConstructor", network=dict(...), ...)``
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        if paramwise_cfg:
            raise ValueError("set paramwise_cfg inside each submodule's own optimiser wrapper")
        self._configs = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Return one wrapper a submodule, by the submodule's name."""
        model = getattr(model, "module", model)
        return OptimWrapperDict(
            **{
                name: build_optim_wrapper(getattr(model, name), dict(config))
                for name, config in self._configs.items()
            }
        )
