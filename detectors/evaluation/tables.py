"""A report as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from binvision.detectors.annotations import DetectionSet, summary
from binvision.detectors.evaluation.coco_metric import NUMBERS, SIZES
from binvision.detectors.evaluation.fddb import FALSE_IN_ALL
from binvision.detectors.evaluation.operating_points import FALSE_PER_PICTURE
from binvision.detectors.evaluation.report import ALL, Report

__all__ = ["class_table", "fddb_table", "headline", "numbers_table", "summary_table"]


def headline(report: Report) -> str:
    """Model, set, speed and the best threshold, in two lines."""
    scores, best = report.scores, report.scores.best
    boxes = sum(part.boxes for part in scores.classes)
    lines = [
        f"{report.identity['model']} on {report.annotations}: {scores.pictures} pictures, "
        f"{boxes} objects; {report.frames_per_second:.1f} frames/s "
        f"({report.median_ms:.2f} ms, {report.threads} threads, decoding not counted)"
    ]
    if best:
        lines.append(
            f"best F1 at score {best.score:.2f}: precision {best.precision:.3f}, "
            f"recall {best.recall:.3f}"
        )
    return "\n".join(lines)


def numbers_table(report: Report) -> Table:
    """COCO's twelve numbers; a row for all pictures and each group."""
    rows = (
        [name, str(scores.pictures), *map(_figure, scores.numbers.values())]
        for name, scores in report.groups.items()
    )
    return _table("COCO", ["pictures", "", *NUMBERS], rows)


def class_table(report: Report) -> Table:
    """AP by class, AP50 by class and size, recall at so many false detections a picture."""
    header = [
        "class", "objects", "AP", "AP50", *(f"AP50 {size}" for size in SIZES),
        *(f"recall at {allowed:g}" for allowed in FALSE_PER_PICTURE),
    ]  # fmt: skip
    rows = []
    for group, scores in report.groups.items():
        prefix = "" if group == ALL else f"{group}: "
        for part in scores.classes:
            figures = [part.ap, part.ap50, *part.ap50_by_size.values(), *part.recall_at.values()]
            rows.append([f"{prefix}{part.name}", str(part.boxes), *map(_figure, figures)])
        if len(scores.classes) > 1:
            figures = [scores.numbers["AP"], scores.numbers["AP50"]]
            figures += [*scores.ap50_by_size.values(), *scores.recall_at.values()]
            objects = sum(part.boxes for part in scores.classes)
            rows.append([f"{prefix}all", str(objects), *map(_figure, figures)])
    return _table(
        "By class; recall at IoU .50 and so many false detections a picture", header, rows
    )


def fddb_table(report: Report) -> Table:
    """FDDB's two scores at so many false positives."""
    scores = report.fddb
    assert scores is not None  # the caller asked for it
    header = ["true positives at false ones", *(f"{n:g} a picture" for n in FALSE_PER_PICTURE)]
    header += [f"{n} in all" for n in FALSE_IN_ALL]
    parts = {
        "discrete": (scores.discrete, scores.discrete_in_all),
        "continuous": (scores.continuous, scores.continuous_in_all),
    }
    rows = (
        [name, *map(_figure, a_picture.values()), *map(_figure, in_all.values())]
        for name, (a_picture, in_all) in parts.items()
    )
    return _table(f"FDDB, {scores.pictures} pictures, {scores.faces} faces", header, rows)


def summary_table(data: DetectionSet) -> Table:
    """What a set holds, by class and size."""
    header = ["class", "pictures", "boxes", *SIZES, "ignored"]
    rows = [[row.name, *(f"{count:,}" for count in row[1:])] for row in summary(data)]
    return _table("", header, rows)


def _table(title: str, header: list[str], rows: Iterable[list[str]]) -> Table:
    result = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, name in enumerate(header):
        result.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        result.add_row(*map(escape, row))
    return result


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
