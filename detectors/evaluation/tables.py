"""A report as tables for the terminal."""

from __future__ import annotations

from rich.table import Table

from binvision.detectors.annotations import DetectionSet, summary
from binvision.detectors.evaluation.coco_metric import NUMBERS, SIZES
from binvision.detectors.evaluation.fddb import FALSE_IN_ALL
from binvision.detectors.evaluation.operating_points import FALSE_PER_PICTURE
from binvision.detectors.evaluation.report import ALL, Report
from binvision.media.report_tables import figure, figures_table

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
        [name, str(scores.pictures), *map(figure, scores.numbers.values())]
        for name, scores in report.groups.items()
    )
    return figures_table("COCO", ["pictures", "", *NUMBERS], rows)


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
            rows.append([f"{prefix}{part.name}", str(part.boxes), *map(figure, figures)])
        if len(scores.classes) > 1:
            figures = [scores.numbers["AP"], scores.numbers["AP50"]]
            figures += [*scores.ap50_by_size.values(), *scores.recall_at.values()]
            objects = sum(part.boxes for part in scores.classes)
            rows.append([f"{prefix}all", str(objects), *map(figure, figures)])
    return figures_table(
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
        [name, *map(figure, a_picture.values()), *map(figure, in_all.values())]
        for name, (a_picture, in_all) in parts.items()
    )
    return figures_table(f"FDDB, {scores.pictures} pictures, {scores.faces} faces", header, rows)


def summary_table(data: DetectionSet) -> Table:
    """What a set holds, by class and size."""
    header = ["class", "pictures", "boxes", *SIZES, "ignored"]
    rows = [[row.name, *(f"{count:,}" for count in row[1:])] for row in summary(data)]
    return figures_table("", header, rows)
