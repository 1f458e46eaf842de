"""Members of an ensemble, trained one after another in one run."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from binvision.binary import BinaryConv2d
from binvision.classifiers.boosting import bootstrap, reweigh
from binvision.classifiers.model import ClassifierNetwork
from binvision.errors import ConfigError

__all__ = ["EnsembleHook"]

_BATCH = 250  # pictures that a member answers for at once


@HOOKS.register_module()
class EnsembleHook(Hook):
    """Lets each member of an ensemble train for its share of the schedule.

    BENN (Zhu et al., CVPR 2019): with bagging each one learns from pictures that were drawn with
    replacement, and all votes are equal; with boosting from the pictures that those before it get
    wrong (:func:`~binvision.classifiers.boosting.reweigh`). Each starts at random. At the end each
    member's share of the votes is multiplied into its linear layer. A network that is no ensemble
    trains as it is.
    """

    def __init__(self) -> None:
        self._votes: list[float] = []
        self._weights: Tensor | None = None

    def before_train(self, runner: Runner) -> None:
        """Begin, or go on with the member whose turn it is."""
        self._model = getattr(runner.model, "module", runner.model)
        self._members = self._model.network.members
        if len(self._members) == 1:
            return
        if runner.world_size > 1:
            raise ConfigError("an ensemble is trained by one process; start it without torchrun")
        layers = [m for m in self._model.network.modules() if isinstance(m, BinaryConv2d)]
        if any("attention" in layer.method.losses for layer in layers):
            raise ConfigError(
                f"method {layers[0].method.name!r} is taught by its own past, which is not done in "
                f"an ensemble; take another method, or model.network.members=1"
            )
        if self._weights is None:
            self._weights = torch.ones(len(self._batches.labels), dtype=torch.float64)
        if runner.iter < runner.max_iters:
            self._begin(runner.iter * len(self._members) // runner.max_iters)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set every ``progress`` of the member to the share of its turn that is done."""
        if len(self._members) > 1:
            done = runner.iter * len(self._members) / runner.max_iters - self._model.turn
            for name, buffer in self._members[self._model.turn].backbone.named_buffers():
                if name.rpartition(".")[2] == "progress":
                    buffer.fill_(done)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Give a member its vote, and the turn to the next; before a checkpoint is written."""
        count = len(self._members)
        following = (runner.iter + 1) * count // runner.max_iters
        if count == 1 or following == self._model.turn:
            return
        self._end(self._members[self._model.turn])
        if following < count:
            self._begin(following)
        else:
            self._elect()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep what the turns so far have decided."""
        if len(self._members) > 1:
            checkpoint["ensemble"] = {"votes": self._votes, "weights": self._weights}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Find it again."""
        if "ensemble" in checkpoint:
            self._votes = list(checkpoint["ensemble"]["votes"])
            self._weights = checkpoint["ensemble"]["weights"].cpu()

    @property
    def _batches(self) -> Any:
        return self._model.data_preprocessor

    def _begin(self, turn: int) -> None:
        self._model.turn = turn
        weights = self._weights
        if self._model.ensemble == "bagging":
            labels = self._batches.labels
            weights = bootstrap(len(labels), self._batches.seed * len(self._members) + turn)
        self._batches.draw_by(weights)

    def _end(self, member: ClassifierNetwork) -> None:
        vote = 1.0
        if self._model.ensemble == "boosting":
            assert self._weights is not None
            wrong = self._wrong(member).cpu()
            vote, self._weights = reweigh(self._weights, wrong, member.head.out_features)
        self._votes.append(vote)

    @torch.no_grad()
    def _elect(self) -> None:
        total = sum(self._votes)
        for member, vote in zip(self._members, self._votes, strict=True):
            # Where none is better than chance, all are alike.
            share = vote / total if total else 1 / len(self._members)
            for parameter in member.head.parameters():
                parameter.mul_(share)

    @torch.no_grad()
    def _wrong(self, member: ClassifierNetwork) -> Tensor:
        """Where a member, as it will be used, is wrong on the pictures of the training."""
        member.eval()
        answers = [
            member.answer(part.permute(0, 3, 1, 2).float()).argmax(1)
            for part in self._batches.pixels.split(_BATCH)
        ]
        member.train()
        return torch.cat(answers) != self._batches.labels
