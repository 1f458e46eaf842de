"""Reports of trackers that never ran: as good as told, on three made-up sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from binvision.trackers.evaluation.campaign import Campaign
from binvision.trackers.evaluation.protocols import Track
from binvision.trackers.evaluation.report import Report, make_report
from binvision.trackers.evaluation.sequences import Sequence
from tests.support.sequences import StillEntrant

__all__ = ["made_up_report"]

_ATTRIBUTES = {"s0": ("FM", "OCC"), "s1": ("FM",), "s2": ()}


def made_up_report(benchmark: str, protocol: str, trackers: dict[str, float]) -> Report:
    """Score tracks that keep about the given share of overlap.

    Args:
        benchmark: Name of the benchmark.
        protocol: ``"got10k"``, ``"otb"`` or ``"uav"``.
        trackers: Name -> how well it tracks, 0..1.
    """
    rng = np.random.default_rng(7)
    sequences = tuple(
        Sequence(
            name,
            layout=protocol,
            frames=tuple(Path(f"{index:04d}.jpg") for index in range(20 + 15 * place)),
            truth_xywh=np.concatenate(
                [rng.uniform(50, 200, (20 + 15 * place, 2)), np.full((20 + 15 * place, 2), 40.0)], 1
            ),
            origin=0,
            attributes=attributes,
        )
        for place, (name, attributes) in enumerate(_ATTRIBUTES.items())
    )
    tracks = {
        (name, sequence.name): (_shifted(sequence, quality, rng),)
        for name, quality in trackers.items()
        for sequence in sequences
    }
    campaign = Campaign(tuple(StillEntrant(name) for name in trackers), sequences, 1, None)
    return make_report(campaign, tracks, benchmark=benchmark, protocol=protocol)


def _shifted(sequence: Sequence, quality: float, rng: np.random.Generator) -> Track:
    """The truth moved aside; a shift of d of a side of 40 leaves (40 - d) / (40 + d)."""
    aside = 40 * (1 - quality) / (1 + quality) * rng.uniform(0, 2, len(sequence))
    boxes = sequence.truth_xywh + np.stack([aside, *np.zeros((3, len(sequence)))], axis=1)
    return Track(boxes, np.full(len(sequence), 0.01))
