"""What every search works with: configuration, pictures, device, and what it has done so far."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from binvision.classifiers.search.pictures import SearchPictures
from binvision.classifiers.search.trainee import Trainee
from binvision.errors import ConfigError, ModelFileError

__all__ = ["Setting"]


class Setting:
    """The surroundings of a search.

    Args:
        config: A prepared configuration with ``search``.
        report: Takes a line of progress.

    Attributes:
        options: The entries of ``search``.
        backbone: Arguments of the backbone, as the configuration has them.
        seed: Seed of weights, data and choices.
        record: What the genotype tells of the data and the schedule.
        report: Takes a line of progress.

    Raises:
        ConfigError: The configuration holds no search, or its work directory one with other
            settings, which it cannot go on with.
        DataError: The archive is missing or damaged.
    """

    def __init__(self, config: Config, report: Callable[[str], None]) -> None:
        self.report = report
        self.options: dict[str, Any] = config.search.to_dict()
        self._network: dict[str, Any] = config.model.network.to_dict()
        self.backbone: dict[str, Any] = self._network["backbone"]
        self.seed = int(config.randomness.seed)
        self._optimiser = config.optim_wrapper.to_dict()
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._path = Path(config.work_dir) / "search.pth"
        batch = config.train_dataloader.batch_size
        self._settings = json.dumps(
            [self.options, self._network, self._optimiser, batch, self.seed], sort_keys=True
        )
        self._resume = bool(config.resume)
        self.pictures = SearchPictures(
            Path(config.train_dataloader.dataset.data),
            batch=batch,
            held_out=self.options["held_out"],
            seed=self.seed,
            shift=config.model.data_preprocessor.shift,
            device=self._device,
        )
        self.record = {
            "data": Path(config.train_dataloader.dataset.data).name,
            "seed": self.seed,
            "batch": batch,
            "search": self.options,
        }

    def trainee(self, steps: int, **backbone: Any) -> Trainee:
        """Return a new network; ``backbone`` is put in the place of its arguments.

        Args:
            steps: Length of its whole training.
            backbone: Arguments of the backbone that differ from the configuration's.
        """
        torch.manual_seed(self.seed)
        network = {**self._network, "backbone": {**self.backbone, **backbone}}
        return Trainee(network, self._optimiser, self.pictures, steps, self._device)

    def resumed(self) -> dict[str, Any] | None:
        """Return what :meth:`keep` kept last, if the search is to go on from it."""
        if not self._resume or not self._path.is_file():
            return None
        try:
            content = torch.load(self._path, map_location=self._device, weights_only=True)
            settings, state = content["settings"], content["state"]
        except Exception as error:
            raise ModelFileError(
                f"{self._path}: not the state of a search ({str(error).splitlines()[0]}); drop "
                f"--resume to begin anew"
            ) from error
        if settings != self._settings:
            raise ConfigError(
                f"{self._path} was begun with other settings; give the same ones, or drop --resume"
            )
        return dict(state)

    def keep(self, state: Mapping[str, Any]) -> None:
        """Keep tensors and plain data to go on from."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".part")
        torch.save({"settings": self._settings, "state": dict(state)}, partial)
        os.replace(partial, self._path)
