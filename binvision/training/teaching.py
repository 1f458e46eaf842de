"""A network's own past as its teacher."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from binvision.binary import BinaryConv2d
from binvision.binary.methods.real_to_binary import attention_map

__all__ = ["StageTeacher"]


class StageTeacher:
    """The network at the end of the stage before, run along with the one in training.

    Real-to-Binary (Martinez et al., ICLR 2020) goes from a real network to a binary one in stages.
    The parts that change at a share of the schedule say so by their ``until``. There the teacher
    takes over the network as it is, and runs in that stage for ever: its norms with the statistics
    of their training, its quantisers as they were.

    It is there from the start, at weight 0, so that no step differs in what it runs.

    Args:
        network: The network in training; its layers get the attention maps of the teacher's as
            their ``guide``.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._layers = _layers(network)
        parts = [part for layer in self._layers for part in (layer.activation, layer.quantizer)]
        shares = {until for part in parts if (until := getattr(part, "until", None)) is not None}
        self._borders = sorted(shares)
        self._passed = 0
        for layer in self._layers:  # of an earlier step; such tensors cannot be copied
            layer.__dict__.pop("last_input", None)
            layer.__dict__.pop("last_output", None)
        self._teacher = copy.deepcopy(network).requires_grad_(False).train()
        for module in self._teacher.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd):
                module.eval()
        device = next(network.parameters()).device
        self._progress = 0.0
        self._is_on = torch.zeros((), device=device)
        self._handle = network.register_forward_pre_hook(self._run)

    def advance(self, done: float, before: float) -> None:
        """Take the network over where a border was passed.

        Args:
            done: Share of the schedule that is done, 0..1.
            before: That of the step before.
        """
        passed = sum(done >= border for border in self._borders)
        if passed > self._passed:
            self.load({"state": self._network.state_dict(), "progress": before})
        self._passed = passed

    def state(self) -> dict[str, Any]:
        """Return what :meth:`load` takes, for a checkpoint."""
        return {"state": self._teacher.state_dict(), "progress": self._progress}

    def load(self, state: dict[str, Any]) -> None:
        """Teach from now on, with the weights and the point of the schedule in ``state``."""
        self._teacher.load_state_dict(state["state"])
        self._progress = float(state["progress"])
        for name, buffer in self._teacher.named_buffers():
            if name.rpartition(".")[2] == "progress":
                buffer.fill_(self._progress)
        self._passed = sum(self._progress >= border for border in self._borders) + 1
        self._is_on.fill_(1)

    @property
    def teaches(self) -> bool:
        """Whether a stage has been taken over."""
        return self._passed > 0

    def remove(self) -> None:
        """Let the network train alone."""
        self._handle.remove()

    @torch.compiler.disable
    @torch.no_grad()
    def _run(self, network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if not network.training:
            return
        self._teacher(*inputs)
        for layer, taught in zip(self._layers, _layers(self._teacher), strict=True):
            layer.guide = (attention_map(taught.last_output), self._is_on)


def _layers(network: nn.Module) -> list[BinaryConv2d]:
    return [
        layer
        for layer in network.modules()
        if isinstance(layer, BinaryConv2d) and "attention" in layer.method.losses
    ]
