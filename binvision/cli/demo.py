"""``binvision demo track``: the main job on a clip that is made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from binvision.cli.terminal import FrameProgress, note
from binvision.errors import SinkError

if TYPE_CHECKING:
    from binvision.media.boxes import BoxXYWH

__all__ = ["track"]


def track(
    out_dir: Annotated[
        Path, typer.Option(help="Folder for the clip, its truth and the results.")
    ] = Path("binvision-demo"),
    model: Annotated[str, typer.Option(help="Shipped model or packed file.")] = "bin-track",
    seed: Annotated[int, typer.Option(help="Another seed makes another clip.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Threads of network and crops.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Render a clip, track its target, and compare with the truth.

    The clip shows a koi that bends, turns, changes size, swims under a leaf and past its twin,
    seen by a camera that pans, zooms and shakes. Nothing is downloaded.

    Example: binvision demo track --out-dir demo
    """
    from binvision.cli.track import report, track_source
    from binvision.cli.tracking import Outputs
    from binvision.media.boxes import overlaps

    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{out_dir}: the folder cannot be made ({error.strerror})") from error
    clip = out_dir / "clip.mp4"
    truth = _render(clip, out_dir / "groundtruth.txt", seed)
    outputs = Outputs(out_dir / "tracked.mp4", out_dir / "boxes.csv")
    summary = track_source(str(clip), [truth[0]], model, threads, outputs)
    # The first box was given, so it proves nothing; after Ctrl-C there may be fewer than true ones.
    found = summary.boxes[0][1:]
    overlap = overlaps(found, truth[1 : len(found) + 1])
    extra = {"mean_iou": round(float(overlap.mean()), 4)} if len(found) else {}
    report(summary, json, extra)


def _render(clip_path: Path, truth_path: Path, seed: int) -> list[BoxXYWH]:
    """Write the clip and the truth; return the true boxes."""
    from binvision.media.results import ResultRow, open_results
    from binvision.media.video_sink import VideoSink
    from binvision.trackers.clip import DemoClip

    clip = DemoClip(seed)
    truth = []
    results = open_results(truth_path, 1, {})
    try:
        with (
            VideoSink(clip_path, clip.fps, clip.size_hw) as video,
            FrameProgress("rendering the clip", clip.count) as bar,
        ):
            for index, (frame, box) in enumerate(clip):
                video.write(frame)
                results.write(ResultRow(index, 1, box, 1.0, False))
                truth.append(box)
                bar.advance()
    except BaseException:
        results.discard()
        raise
    results.close()
    note(f"wrote {clip_path} and {truth_path} ({clip.count} frames)")
    return truth
