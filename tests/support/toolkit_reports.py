"""The got10k toolkit's own reports, on annotations from anywhere and without its downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from got10k.experiments import ExperimentGOT10k, ExperimentOTB, ExperimentUAV123

__all__ = ["toolkit_report"]

_EXPERIMENTS = {"got10k": ExperimentGOT10k, "otb": ExperimentOTB, "uav": ExperimentUAV123}


class _Annotations(list[Any]):
    """What an experiment asks of a dataset: pairs or triples by number or name."""

    def __init__(self, names: list[str], items: list[Any]) -> None:
        self.seq_names = names
        super().__init__(items)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.seq_names.index(key) if isinstance(key, str) else key)


def toolkit_report(
    protocol: str,
    truths: dict[str, np.ndarray],
    results: Path,
    tracker: str,
    *,
    covers: dict[str, np.ndarray] | None = None,
    size_wh: tuple[int, int] = (320, 240),
) -> dict[str, Any]:
    """What the toolkit reports of a tracker whose result files lie in ``results``.

    Args:
        protocol: ``"got10k"``, ``"otb"`` or ``"uav"``.
        truths: Name of a sequence -> [N, 4] true boxes.
        results: The benchmark's folder of results, with a folder a tracker.
        tracker: Its name.
        covers: GOT-10k's visible eighths, as `truths`.
        size_wh: GOT-10k's size of all pictures.
    """
    kind = _EXPERIMENTS[protocol]
    experiment = kind.__new__(kind)  # its constructor wants the whole dataset, or downloads it
    experiment.subset, experiment.nbins_iou, experiment.nbins_ce = "val", 21, 51
    items: list[Any] = [([], truth) for truth in truths.values()]
    if covers is not None:
        meta = ({"cover": covers[name], "resolution": str(size_wh)} for name in truths)
        items = [(*item, facts) for item, facts in zip(items, meta, strict=True)]
    experiment.dataset = _Annotations(list(truths), items)
    experiment.result_dir = str(results)
    experiment.report_dir = str(results.parent / "toolkit_reports")
    experiment.plot_curves = lambda *names: None
    report: dict[str, Any] = experiment.report([tracker])[tracker]
    return report
