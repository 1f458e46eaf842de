"""A network that a search trains for a while and judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from binvision.binary import BinaryConv2d
from binvision.classifiers.search.pictures import SearchPictures
from binvision.classifiers.training import ClassifierTraining

__all__ = ["Trainee"]

_BATCH = 500  # held-out pictures at once


class Trainee:
    """A classifier with its optimiser.

    Args:
        network: Arguments of :class:`~binvision.classifiers.model.ClassifierConfig`.
        optimiser: Configuration of its optimiser wrapper.
        pictures: What it is trained on and judged by.
        steps: Steps of its whole training, which methods that change on the way reckon with.
        device: Where it is.

    Attributes:
        network: The classifier.
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        optimiser: Mapping[str, Any],
        pictures: SearchPictures,
        steps: int,
        device: str,
    ) -> None:
        self._model = ClassifierTraining(dict(network)).to(device)
        self._optimiser = build_optim_wrapper(self._model, dict(optimiser))
        self._pictures, self._steps = pictures, steps
        self.network = self._model.network
        self._layers = [one for one in self._model.modules() if isinstance(one, BinaryConv2d)]

    def fit(self, first: int, count: int) -> None:
        """Do steps ``first`` to ``first + count - 1``."""
        self._model.train()
        for step in range(first, first + count):
            for name, buffer in self._model.named_buffers():
                if name.rpartition(".")[2] == "progress":
                    buffer.fill_(step / self._steps)
            self._model.train_step(self._pictures.batch(step), self._optimiser)
            with torch.no_grad():
                for layer in self._layers:
                    if layer.quantizer is not None:
                        layer.quantizer.after_step(layer.weight)

    def accuracy(self) -> float:
        """Return the share of held-out pictures whose most probable class is the right one.

        Batch norms use the statistics of these pictures: the running ones of layers that several
        architectures share fit none of them.
        """
        self._model.eval()
        norms = [one for one in self._model.modules() if isinstance(one, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.train()
            norm.momentum = 0.0  # leaves the running statistics alone
        images, labels = self._pictures.images, self._pictures.labels
        right = 0
        with torch.no_grad(), self._optimiser.optim_context(self._model):
            for some, answers in zip(images.split(_BATCH), labels.split(_BATCH), strict=True):
                right += int((self.network(some.float()).argmax(1) == answers).sum())
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        return right / len(labels)

    def state(self) -> dict[str, Any]:
        """Return what :meth:`load` goes on from."""
        return {"model": self._model.state_dict(), "optimiser": self._optimiser.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a kept state."""
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
