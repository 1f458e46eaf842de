"""``binvision eval coco`` and ``eval fddb``: measure a detector on annotated pictures."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from binvision.cli.reporting import check_libraries
from binvision.cli.terminal import FrameProgress, note, note_problems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from binvision.detectors.annotations import DetectionSet
    from binvision.detectors.detections import Detections
    from binvision.detectors.evaluation.entrant import Entrant
    from binvision.detectors.evaluation.findings import Finding
    from binvision.detectors.evaluation.report import Report

__all__ = ["coco", "fddb"]


class _Part(str, Enum):
    """A part of a data set."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


Annotations = Annotated[
    Path,
    typer.Option(
        help="COCO JSON; folder of Pascal VOC XML, its root or one of its lists; YOLO's data.yaml "
        "or folder. Told apart by looking."
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(help="Folder of the pictures. Default: where the format has them."),
]
Model = Annotated[str, typer.Option(help="Shipped model, packed file or .pth checkpoint.")]
Score = Annotated[
    float,
    typer.Option(min=0, max=1, help="Least score of a detection; all below is not measured."),
]
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="PREFIX,PREFIX",
        help="Measure pictures whose names begin so apart as well, each prefix by itself.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for report.json, detections.json (COCO's result format), the "
        "precision-recall plot and the worst pictures; finished pictures are not done again."
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the network.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def coco(
    annotations: Annotations,
    images: Images = None,
    model: Model = "bin-face",
    score: Score = 0.01,
    classes: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="Classes to measure. Default: all."),
    ] = None,
    split: Annotated[
        _Part, typer.Option(help="Part of a YOLO data.yaml or of VOC's lists, if several.")
    ] = _Part.VAL,
    groups: Groups = None,
    threads: Threads = 1,
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure a detector: COCO's twelve numbers, AP and AP50 by class, recall, speed.

    Example: binvision eval coco --annotations test.json --images test --model bin-drone --out drone
    """
    from binvision.detectors.annotations import read_detection_set

    check_libraries("pycocotools", "matplotlib" if out else "")
    data = read_detection_set(annotations, images, _split(classes), split=split.value)
    report = _evaluate(
        annotations, data, model, score=score, groups=groups, threads=threads, out=out
    )
    _print(report, json)


def fddb(
    annotations: Annotated[
        Path,
        typer.Option(help="COCO JSON in which each face has an ellipse, as FDDB marks them."),
    ],
    images: Images = None,
    model: Model = "bin-face",
    score: Score = 0.01,
    groups: Groups = None,
    threads: Threads = 1,
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure a face detector: FDDB's discrete and continuous scores, and COCO's numbers.

    Example: binvision eval fddb --annotations test.json --images test --model bin-face --out faces
    """
    from binvision.detectors.annotations import read_detection_set
    from binvision.detectors.evaluation.fddb import read_ellipses

    check_libraries("pycocotools", "scipy", "matplotlib" if out else "")
    ellipses = read_ellipses(annotations)
    data = read_detection_set(annotations, images)
    report = _evaluate(
        annotations,
        data,
        model,
        score=score,
        groups=groups,
        threads=threads,
        out=out,
        ellipses=[ellipses[picture.identifier] for picture in data.pictures],
    )
    _print(report, json)


def _evaluate(
    annotations: Path,
    data: DetectionSet,
    model: str,
    *,
    score: float,
    groups: str | None,
    threads: int,
    out: Path | None,
    ellipses: Sequence[NDArray[np.float64]] | None = None,
) -> Report:
    from binvision.detectors.evaluation.coco_metric import in_classes
    from binvision.detectors.evaluation.entrant import enter
    from binvision.detectors.evaluation.report import make_report
    from binvision.detectors.evaluation.run import check_classes

    note_problems(data.problems)
    entrant = enter(model, score=score, threads=threads)
    check_classes(entrant, data)
    findings = _find(entrant, data, out)
    found = [in_classes(finding.found, data.classes) for finding in findings]
    report = make_report(
        str(annotations),
        data,
        found,
        identity=entrant.identity,
        seconds=[finding.seconds for finding in findings],
        threads=threads,
        prefixes=_split(groups) or (),
        ellipses=ellipses,
    )
    if out:
        _write(report, data, found, out)
    return report


def _find(entrant: Entrant, data: DetectionSet, out: Path | None) -> list[Finding]:
    """Detect behind a bar on stderr; Ctrl-C says what is kept and how to go on."""
    from binvision.detectors.evaluation.findings import FindingStore
    from binvision.detectors.evaluation.run import find_all

    store = FindingStore(out, entrant.identity, entrant.classes) if out else None
    try:
        with FrameProgress("detecting", len(data.pictures)) as bar:
            return find_all(entrant, data, store, bar.advance)
    except KeyboardInterrupt as interrupt:
        if store is None:
            kept = "nothing is kept; with --out DIR the same command would go on from here"
        else:
            done = sum(store.get(picture) is not None for picture in data.pictures)
            kept = (
                f"{done} of {len(data.pictures)} pictures are finished and kept in {store.path}; "
                f"the same command goes on from there"
            )
        raise KeyboardInterrupt(kept) from interrupt
    finally:
        if store:
            store.close()


def _write(report: Report, data: DetectionSet, found: list[Detections], out: Path) -> None:
    """Write plots, pictures and detections, and last the report."""
    import json

    from binvision.detectors.evaluation.findings import coco_results
    from binvision.detectors.evaluation.plots import write_plots
    from binvision.detectors.evaluation.worst import write_worst
    from binvision.media.files import write_atomically

    write_plots(report, out)
    write_worst(out / "worst", data, found, report.scores)
    write_atomically(out / "detections.json", json.dumps(coco_results(data, found)))
    write_atomically(out / "report.json", report.to_json())
    note(f"wrote report, detections, plot and worst pictures into {out}")


def _print(report: Report, as_json: bool) -> None:
    from binvision.cli.tables import print_table
    from binvision.detectors.evaluation import tables

    if as_json:
        typer.echo(report.to_json(), nl=False)
        return
    typer.echo(tables.headline(report))
    if report.fddb:
        print_table(tables.fddb_table(report))
    print_table(tables.numbers_table(report))
    print_table(tables.class_table(report))


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
