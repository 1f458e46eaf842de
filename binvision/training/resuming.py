"""Going on with a training without rendering again what earlier steps have seen."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sized

from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS, HOOKS
from mmengine.runner import Runner
from torch.utils.data import Sampler

__all__ = ["EndlessSampler", "SkipHook"]


@DATA_SAMPLERS.register_module()
class EndlessSampler(Sampler[int]):
    """Numbers of items in their order and without end; every process has its own.

    Attributes:
        first: How many of this process are left out at the beginning.

    Args:
        dataset: Its length counts.
        seed: Given by mmengine; items are random themselves, so that their order need not be.
    """

    def __init__(self, dataset: Sized, seed: int | None = None) -> None:
        self.first = 0
        self._length = len(dataset)
        self._rank, self._processes = get_dist_info()

    def __len__(self) -> int:
        """Return the number of items, after which they begin anew."""
        return self._length

    def __iter__(self) -> Iterator[int]:
        for place in itertools.count(self.first):
            yield (place * self._processes + self._rank) % self._length


@HOOKS.register_module()
class SkipHook(Hook):
    """Lets the loop of a resumed run skip batches that are not rendered.

    mmengine takes as many batches as steps were done, and throws them away: with pictures rendered
    at each step, that would take as long as it took the first time.
    """

    def before_train(self, runner: Runner) -> None:
        """Put empty batches in front of the ones to come."""
        if runner.iter:
            loop = runner.train_loop
            loop.dataloader.sampler.first = runner.iter * loop.dataloader.batch_size
            skipped = itertools.repeat(None, runner.iter)
            loop.dataloader_iterator = itertools.chain(skipped, iter(loop.dataloader))
