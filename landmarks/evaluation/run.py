"""A model over the subjects of a set, each done once even where the run is interrupted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from binvision.landmarks.evaluation.entrant import Entrant
from binvision.landmarks.evaluation.scores import Finding
from binvision.landmarks.formats.points import PointPicture, PointSet
from binvision.media.kept_rows import KeptRows

__all__ = ["FILE_NAME", "PointStore", "find_all"]

FILE_NAME = "points.jsonl"


class PointStore:
    """What one model found in one set, in a file of a folder, a line a subject.

    Args:
        folder: Where; made if it is not there.
        identity: What findings depend on besides the set.
        data: The set; crops depend on its points.

    Raises:
        UsageError: What is there was made by another model, with other options or on another set.
        DataError: What is there cannot be read.
        SinkError: The folder cannot be written.
    """

    def __init__(self, folder: Path, identity: dict[str, object], data: PointSet) -> None:
        self.path = folder / FILE_NAME
        self._count = len(data.scheme.points)
        head = {**identity, "set": data.name, "points": _digest(data)}
        self._rows = KeptRows(self.path, head, self._finding)
        self._known = dict(self._rows.earlier)

    def get(self, picture: PointPicture) -> Finding | None:
        """What was found of a subject earlier, or None."""
        return self._known.get(picture.name)

    def add(self, picture: PointPicture, finding: Finding) -> None:
        """Keep what was found of a subject.

        Raises:
            SinkError: It cannot be written.
        """
        self._known[picture.name] = finding
        points = None if finding.points is None else finding.points.astype(float).round(3).tolist()
        self._rows.add(
            {
                "picture": picture.name,
                "seconds": round(finding.seconds, 6),
                "score": round(finding.score, 5),
                "points": points,
            }
        )

    def close(self) -> None:
        """Leave the file."""
        self._rows.close()

    def _finding(self, row: dict[str, Any]) -> tuple[str, Finding]:
        points = None
        if row["points"] is not None:
            points = np.array(row["points"], np.float32).reshape(self._count, 2)
        return str(row["picture"]), Finding(points, float(row["score"]), float(row["seconds"]))


def find_all(
    entrant: Entrant, data: PointSet, store: PointStore | None, advance: Callable[[], None]
) -> list[Finding]:
    """Find the points of every subject.

    Args:
        entrant: The model, and where boxes come from.
        data: The subjects.
        store: What is in it is not done again; what is done is added. None keeps nothing.
        advance: Called after each subject.

    Raises:
        SourceError: A picture cannot be read.
        DataError: The set has no box where its own are asked for.
        SinkError: What is found cannot be kept.
    """
    findings = []
    for picture in data.pictures:
        finding = store.get(picture) if store else None
        if finding is None:
            finding = _find(entrant, picture)
            if store:
                store.add(picture, finding)
        findings.append(finding)
        advance()
    return findings


def _find(entrant: Entrant, picture: PointPicture) -> Finding:
    image = picture.read()
    box = entrant.find_box(picture, image)
    if box is None:
        return Finding(None, 0.0, 0.0)
    started = perf_counter()
    found = entrant.estimate(image, box)
    seconds = perf_counter() - started
    # As they are kept, so that a run that was interrupted gives the same figures.
    return Finding(found.points.astype(float).round(3).astype(np.float32), found.score, seconds)


def _digest(data: PointSet) -> str:
    digest = hashlib.sha256()
    for picture in data.pictures:
        digest.update(picture.name.encode())
        digest.update(picture.points.tobytes())
        if picture.box_xywh is not None:
            digest.update(picture.box_xywh.tobytes())
    return digest.hexdigest()[:16]
