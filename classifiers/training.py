"""Training of classifiers under mmengine: plain, or guided by another network."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from binvision.binary import Spec, auxiliary_losses
from binvision.classifiers import batches
from binvision.classifiers.boosting import check_ensemble
from binvision.classifiers.features import FEATURE_LOSSES
from binvision.classifiers.model import ClassifierConfig, ClassifierNetwork, load_checkpoint
from binvision.errors import ConfigError

__all__ = ["ClassifierTraining", "batches"]


@MODELS.register_module()
class ClassifierTraining(BaseModel):
    """Trains a classifier of any method by cross-entropy and what its method adds.

    Args:
        network: Arguments of :class:`ClassifierConfig`.
        data_preprocessor: Makes the batches; see :class:`~binvision.classifiers.batches`.
        teacher: Checkpoint of a network that guides the training; "" for none.
        guide: Weight of the teacher's answers, if there is one: the divergence of its
            probabilities from the network's (Hinton et al., Distilling the Knowledge in a Neural
            Network, 2015, at temperature 1).
        features: Loss of the features before the last layer, of
            :data:`~binvision.classifiers.features.FEATURE_LOSSES`; None for none.
        ensemble: How the members of an ensemble are trained, ``bagging`` or ``boosting``; see
            :class:`~binvision.training.ensembles.EnsembleHook`.

    Attributes:
        turn: The member in training.

    Raises:
        ConfigError: The teacher has other classes, or there is no such loss of features or way to
            train an ensemble.
        ModelFileError: ``teacher`` cannot be read.
    """

    def __init__(
        self,
        network: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        *,
        teacher: str = "",
        guide: float = 1.0,
        features: Spec | None = None,
        ensemble: str = "bagging",
    ) -> None:
        super().__init__(data_preprocessor)
        self.network = ClassifierNetwork(ClassifierConfig(**network))
        self.network.to(memory_format=torch.channels_last)
        self.ensemble, self.turn = check_ensemble(ensemble), 0
        self._guide = guide
        self.teacher = _load_teacher(teacher, self.network) if teacher else None
        head = self.network.head
        self.features = (
            FEATURE_LOSSES.build(features, head.out_features, head.in_features)
            if features
            else None
        )
        if features:
            for member in self.network.members:
                member.head.register_forward_pre_hook(self._keep_features)

    def train(self, mode: bool = True) -> ClassifierTraining:
        """Set training mode, except for the teacher, whose statistics are fixed."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def forward(self, images: Tensor, labels: Tensor, mode: str = "loss") -> dict[str, Tensor]:
        """Return the losses of one batch; ``mode`` is mmengine's and must be ``loss``."""
        if mode != "loss":
            raise ConfigError(f"ClassifierTraining computes mode 'loss' only, got {mode!r}")
        member = self.network.members[self.turn]
        logits = member.answer(images).float()
        losses = {"loss_class": F.cross_entropy(logits, labels)}
        if self.teacher is not None:
            with torch.no_grad():
                answers = self.teacher(images).float().log_softmax(1)
            losses["loss_guide"] = self._guide * F.kl_div(
                logits.log_softmax(1), answers, reduction="batchmean", log_target=True
            )
        if self.features is not None:
            losses["loss_features"] = self.features(self._features.float(), labels)
        return losses | auxiliary_losses(member.backbone)

    def _keep_features(self, head: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._features = inputs[0]


def _load_teacher(path: str, network: ClassifierNetwork) -> ClassifierNetwork:
    teacher, _ = load_checkpoint(path)
    for name in ("classes", "input_size"):
        own, other = getattr(network.config, name), getattr(teacher.config, name)
        if own != other:
            raise ConfigError(f"the teacher {path} has {name} {other}, the network {own}")
    return teacher.requires_grad_(False)
