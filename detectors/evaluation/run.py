"""A detector over the pictures of a set, each done once even where the run is interrupted."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from binvision.detectors.annotations import DetectionSet, read_picture
from binvision.detectors.evaluation.entrant import Entrant
from binvision.detectors.evaluation.findings import Finding, FindingStore
from binvision.errors import UsageError

__all__ = ["check_classes", "find_all"]


def check_classes(entrant: Entrant, data: DetectionSet) -> None:
    """Make sure that the detector knows every class that is to be measured.

    Raises:
        UsageError: It does not; says which of them it knows.
    """
    unknown = [name for name in data.classes if name not in entrant.classes]
    if not unknown:
        return
    known = [name for name in data.classes if name in entrant.classes]
    remedy = (
        f"--classes {','.join(known)} measures the others"
        if known
        else f"it knows {', '.join(entrant.classes)}; rename the classes of the annotations"
    )
    raise UsageError(f"{entrant.name} does not know the class {', '.join(unknown)}; {remedy}")


def find_all(
    entrant: Entrant,
    data: DetectionSet,
    store: FindingStore | None,
    advance: Callable[[], None],
) -> list[Finding]:
    """Detect in every picture.

    Args:
        entrant: The detector.
        data: The pictures.
        store: What is in it is not done again; what is done is added. None keeps nothing.
        advance: Called after each picture.

    Raises:
        SourceError: A picture cannot be read.
        DataError: A picture has another size than its header says.
        SinkError: What is found cannot be kept.
    """
    findings = []
    for picture in data.pictures:
        finding = store.get(picture) if store else None
        if finding is None:
            image = read_picture(picture)
            started = perf_counter()
            found = entrant.detect(image)
            finding = Finding(found, perf_counter() - started)
            if store:
                store.add(picture, finding)
        findings.append(finding)
        advance()
    return findings
