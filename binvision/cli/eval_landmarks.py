"""``binvision eval 300w`` and the other benchmarks of points on faces and people.

Every benchmark is a command of its own, with one and the same function behind it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from binvision.cli.reporting import check_libraries
from binvision.cli.terminal import FrameProgress, note, note_problems

if TYPE_CHECKING:
    from binvision.landmarks.evaluation.entrant import Entrant
    from binvision.landmarks.evaluation.report import Report
    from binvision.landmarks.evaluation.scores import Finding
    from binvision.landmarks.formats.points import PointSet

__all__ = ["BENCHMARKS", "command", "evaluate"]


@dataclass(frozen=True)
class _Words:
    """What the help of a benchmark says: what is measured, of what, and what ROOT is."""

    figures: str
    subject: str
    root: str


_NME = "NME, AUC, failures"

# The names of `evaluation.benchmarks.BENCHMARKS`.
BENCHMARKS = {
    "300w": _Words(
        _NME,
        "300-W, 68 points: the common, challenging and full set",
        "folder with helen/testset, lfpw/testset and ibug; or any folder of pictures with .pts",
    ),
    "aflw": _Words(
        _NME, "AFLW, 19 points: full and frontal set", "folder with AFLWinfo_release.mat"
    ),
    "aflw_pifa": _Words(
        _NME, "AFLW-PIFA, 34 points: all, and the visible ones", "folder with Landmark.mat"
    ),
    "aflw2000": _Words(
        _NME, "AFLW2000-3D, 68 points: by yaw", "folder of pictures with a .mat each"
    ),
    "cofw": _Words(_NME, "COFW, 29 points", "folder with COFW_test_color.mat"),
    "wflw": _Words(
        _NME,
        "WFLW, 98 points: all, and by what makes faces hard",
        "folder with WFLW_annotations and WFLW_images",
    ),
    "ytf68": _Words(_NME, "an archive of faces with 68 points", "the .npz"),
    "mpii": _Words(
        "PCKh@0.5 by joint",
        "MPII, 16 joints",
        "folder with annot/valid.json or mpii_human_pose_v1_u12_1.mat, and images; or a list",
    ),
    "coco_keypoints": _Words(
        "COCO's ten numbers", "COCO, 17 joints", "folder with annotations and val2017; or a JSON"
    ),
    "pck": _Words(
        "PCK@0.2 of the torso, PCKh-like of neck to head",
        "people with joints in COCO's JSON, as LSP",
        "the JSON",
    ),
}


def evaluate(
    benchmark: str,
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The data, as said above.")],
    model: Annotated[str, typer.Option(help="Shipped model, packed file or .pth checkpoint.")],
    boxes: Annotated[
        str | None,
        typer.Option(
            metavar="points, set, detector or FILE",
            help="Where the box of a subject comes from: its true points; the set; the detector "
            "that the model names; what 'binvision detect --results FILE.csv' wrote. "
            "Default: set for mpii and coco_keypoints, points for the others.",
        ),
    ] = None,
    box_noise: Annotated[
        float,
        typer.Option(
            metavar="PART", help="Move and scale each box at random by up to this part of it."
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of --box-noise.")] = 0,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average with the points of the mirrored crop.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the network.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for report.json, the plot of cumulative errors and the worst subjects; "
            "finished subjects are not done again."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Measure a model on one of `BENCHMARKS`; the other parameters are the command's options."""
    from binvision.landmarks.evaluation.benchmarks import BENCHMARKS as RULES
    from binvision.landmarks.evaluation.entrant import check_scheme, enter
    from binvision.landmarks.evaluation.report import make_report

    check_libraries(
        "pycocotools" if benchmark == "coco_keypoints" else "", "matplotlib" if out else ""
    )
    chosen = RULES[benchmark]
    data = chosen.read(root)
    note_problems(data.problems)
    entrant = enter(
        model,
        boxes=boxes or chosen.boxes,
        noise=box_noise,
        seed=seed,
        mirror=mirror,
        threads=threads,
    )
    check_scheme(entrant, data)
    found = _find(entrant, data, out)
    report = make_report(
        benchmark,
        chosen.title,
        str(root),
        data,
        found,
        chosen.measure(root, data, found),
        identity=entrant.identity,
        threads=threads,
    )
    if out:
        _write(report, data, found, out)
    _print(report, json)


def command(benchmark: str) -> Callable[..., None]:
    """The command for one benchmark: `evaluate` with the help that fits it."""

    @functools.wraps(evaluate)
    def run(**options: object) -> None:
        evaluate(benchmark, **options)  # type: ignore[arg-type]

    words = BENCHMARKS[benchmark]
    signature = inspect.signature(evaluate, eval_str=True)
    options = [value for name, value in signature.parameters.items() if name != "benchmark"]
    run.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
    run.__annotations__ = {value.name: value.annotation for value in options}
    run.__doc__ = (
        f"Measure points on {words.subject}: {words.figures}. ROOT: {words.root}.\n\n"
        f"Example: binvision eval {benchmark} ROOT --model MODEL --out results"
    )
    return run


def _find(entrant: Entrant, data: PointSet, out: Path | None) -> list[Finding]:
    """Find points behind a bar on stderr; Ctrl-C says what is kept and how to go on."""
    from binvision.landmarks.evaluation.run import PointStore, find_all

    store = PointStore(out, entrant.identity, data) if out else None
    try:
        with FrameProgress("finding points", len(data.pictures), "subjects") as bar:
            return find_all(entrant, data, store, bar.advance)
    except KeyboardInterrupt as interrupt:
        if store is None:
            kept = "nothing is kept; with --out DIR the same command would go on from here"
        else:
            done = sum(store.get(picture) is not None for picture in data.pictures)
            kept = (
                f"{done} of {len(data.pictures)} subjects are finished and kept in {store.path}; "
                f"the same command goes on from there"
            )
        raise KeyboardInterrupt(kept) from interrupt
    finally:
        if store:
            store.close()


def _write(report: Report, data: PointSet, found: list[Finding], out: Path) -> None:
    """Write plot and pictures, and last the report."""
    from binvision.landmarks.evaluation.plots import write_plots
    from binvision.landmarks.evaluation.worst import write_worst
    from binvision.media.files import write_atomically

    write_plots(report, out)
    write_worst(out / "worst", data, found)
    write_atomically(out / "report.json", report.to_json())
    note(f"wrote report, plot and worst subjects into {out}")


def _print(report: Report, as_json: bool) -> None:
    from binvision.cli.tables import print_table
    from binvision.landmarks.evaluation import tables

    if as_json:
        typer.echo(report.to_json(), nl=False)
        return
    typer.echo(tables.headline(report))
    print_table(tables.scores_table(report))
