"""The ZIP of results on GOT-10k's test set, whose truth only the benchmark's server has.

In it is what the got10k toolkit's ``ExperimentGOT10k(subset="test").report`` packs, and nothing
else: ``SEQUENCE/SEQUENCE_001.txt`` (x,y,w,h a frame) and ``SEQUENCE/SEQUENCE_time.txt`` (seconds a
frame). Everything is checked before a file appears, since the server counts failed submissions.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence as Several
from pathlib import Path

import numpy as np

from binvision.errors import DataError
from binvision.media.files import write_atomically
from binvision.trackers.evaluation.got10k_layout import read_list
from binvision.trackers.evaluation.protocols import Track
from binvision.trackers.evaluation.sequences import Sequence

__all__ = ["UPLOAD_PAGE", "check_complete", "write_submission"]

UPLOAD_PAGE = "http://got-10k.aitestunion.com/submit_instructions"

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date that a ZIP knows: equal results, equal bytes


def write_submission(path: Path, sequences: Several[Sequence], tracks: dict[str, Track]) -> None:
    """Check one tracker's results and write them for the server.

    Args:
        path: The ZIP.
        sequences: The whole test set.
        tracks: One run a sequence, by its name.

    Raises:
        DataError: sequences of the test set's ``list.txt`` are missing, or a track has not one
            finite box and time a picture.
        SinkError: the file cannot be written.
    """
    check_complete(sequences)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for sequence in sorted(sequences, key=lambda sequence: sequence.name):
            track = tracks[sequence.name]
            _check_track(track, sequence)
            stem = f"{sequence.name}/{sequence.name}"
            for name, rows, pattern in (
                (f"{stem}_001.txt", track.boxes_xywh, "%.3f"),
                (f"{stem}_time.txt", track.seconds[:, None], "%.8f"),
            ):
                lines = (",".join(pattern % value for value in row) + "\n" for row in rows)
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, "".join(lines))
    write_atomically(path, content.getvalue())


def check_complete(sequences: Several[Sequence]) -> None:
    """Make sure that these are all sequences of a test set: its server takes no fewer.

    Raises:
        DataError: the ``list.txt`` beside them is missing or names others too.
    """
    listing = sequences[0].frames[0].parent.parent / "list.txt"
    if not listing.is_file():
        raise DataError(f"{listing}: no such file; it names the sequences of a submission")
    wanted = set(read_list(listing))
    missing = sorted(wanted - {sequence.name for sequence in sequences})
    if missing:
        raise DataError(
            f"{listing}: {len(missing)} of its {len(wanted)} sequences have no results, first "
            f"{missing[0]}; the server takes only all of them"
        )


def _check_track(track: Track, sequence: Sequence) -> None:
    name, frames = sequence.name, len(sequence)
    if track.boxes_xywh.shape != (frames, 4) or track.seconds.shape != (frames,):
        raise DataError(
            f"{name}: {len(track.boxes_xywh)} boxes and {len(track.seconds)} times for {frames} "
            f"pictures; the server takes one of each a picture"
        )
    finite = np.isfinite(track.boxes_xywh).all(axis=1) & np.isfinite(track.seconds)
    if not finite.all():
        frame = int(np.flatnonzero(~finite)[0]) + 1
        raise DataError(f"{name}: frame {frame} has a box or a time that is not finite")
