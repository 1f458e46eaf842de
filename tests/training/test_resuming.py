"""Which items each process takes, from the beginning and from the middle."""

from __future__ import annotations

from itertools import islice

import pytest
from mmengine.dataset import InfiniteSampler

from binvision.training import resuming
from binvision.training.resuming import EndlessSampler


@pytest.mark.parametrize("processes", [1, 3])
def test_items_are_those_of_the_sampler_of_mmengine(
    processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = range(10)
    everything = []
    for rank in range(processes):
        monkeypatch.setattr(resuming, "get_dist_info", lambda rank=rank: (rank, processes))
        monkeypatch.setattr("mmengine.dataset.sampler.get_dist_info", resuming.get_dist_info)
        sampler = EndlessSampler(dataset, seed=0)
        taken = list(islice(sampler, 25))
        assert taken == list(islice(InfiniteSampler(dataset, shuffle=False, seed=0), 25))
        sampler.first = 7
        assert list(islice(sampler, 18)) == taken[7:]
        everything += taken[:10]
    assert sorted(everything) == sorted(list(range(10)) * processes)
