"""What a classification configuration takes from its data."""

from __future__ import annotations

import itertools
from pathlib import Path

from mmengine.config import Config

from binvision.classifiers.pictures import read_classes
from binvision.errors import ConfigError, DataError

__all__ = ["settle"]


def settle(config: Config) -> None:
    """Put the archive's classes, its path and the seed where the configuration needs them.

    The members of an ensemble share the schedule, and each has a learning rate that falls anew.

    Raises:
        ConfigError: The schedule is too short for the members.
        DataError: There is no archive, or it is damaged.
    """
    dataset = config.train_dataloader.dataset
    if not dataset.data:
        raise DataError("no pictures to train on: pass --data cifar10_jpeg.npz")
    config.model.network.classes = list(read_classes(Path(dataset.data)))
    config.model.data_preprocessor.update(data=dataset.data, seed=dataset.seed)
    members = config.model.network.get("members", 1)
    if members > 1:
        _restart(config, members)


def _restart(config: Config, members: int) -> None:
    iterations = config.train_cfg.max_iters
    borders = [-(-iterations * member // members) for member in range(members + 1)]
    periods = [end - begin for begin, end in itertools.pairwise(borders)]
    if min(periods) < 2:
        raise ConfigError(
            f"{iterations} steps for {members} members: expected two for each; pass --iterations"
        )
    warmup, cosine = config.param_scheduler
    warmup.end = min(warmup.end, max(1, periods[0] // 10))
    periods[0] -= warmup.end
    config.param_scheduler[1] = dict(
        type="CosineRestartLR",
        periods=periods,
        restart_weights=[1.0] * members,
        eta_min=cosine.eta_min,
        by_epoch=False,
        begin=warmup.end,
        end=iterations,
    )
