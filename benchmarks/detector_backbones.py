"""Which backbone a detector should have: accuracy after equal training, beside packed time.

    python -m benchmarks.detector_backbones --data train.json --images train

Each network is trained with the configuration `detection/face` for the same steps on nine tenths
of the pictures of a COCO file, and measured on the tenth that is left: no test set is chosen on.
The time is one thread's for a 320x256 input.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from binvision import runtime
from binvision.detectors.annotations import read_detection_set
from binvision.detectors.evaluation.coco_metric import coco_scores, in_classes
from binvision.detectors.evaluation.entrant import enter
from binvision.detectors.evaluation.run import find_all
from binvision.detectors.model import load_checkpoint
from binvision.export import export_model
from binvision.training.run import TrainingRequest, train

_STAGED = {"type": "staged", "method": "bireal", "channels": (64, 128, 256, 256)}
_MELIUS = {"type": "melius", "method": "bireal", "channels": (64, 64, 128, 128)}
BACKBONES: dict[str, dict[str, Any]] = {
    "Bi-Real 4+4+2": {**_STAGED, "blocks": (0, 4, 4, 2)},
    "ReActNet 2+3+2": {**_STAGED, "block": "react", "blocks": (0, 2, 3, 2)},
    "MeliusNet 3+3+3": {**_MELIUS, "blocks": (0, 3, 3, 3)},
    "MeliusNet 4+4+4": {**_MELIUS, "blocks": (0, 4, 4, 4)},
}
_SIZE_HW = (256, 320)
_INPUT_SIZE = 256
_HELD_OUT = 0.1
_LEAST_SCORE = 0.01


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, time and print."""
    options = _parse(arguments)
    table = Table("backbone", "AP", "AP50", "packed ms", "kB", box=None)
    with tempfile.TemporaryDirectory() as folder:
        learnt, held_out = _split(options.data, Path(folder))
        for name, backbone in BACKBONES.items():
            checkpoint = _train(name, backbone, learnt, Path(folder), options)
            scores = _measure(checkpoint, held_out, options.images)
            milliseconds, size = _time(checkpoint, Path(folder), options.rounds)
            table.add_row(name, *scores, f"{milliseconds:.2f}", f"{size / 1e3:.0f}")
    console = Console(width=120)
    console.print(table)
    console.print("  ".join(f"{key} {value}" for key, value in describe(1, "torch").items()))


def _split(data: Path, folder: Path) -> tuple[Path, Path]:
    """Write two COCO files: of the pictures to learn from, and of those held out."""
    document = json.loads(data.read_text(encoding="utf-8"))
    images = document["images"]
    count = round(len(images) * _HELD_OUT)
    held_out = set(np.random.default_rng(0).permutation(len(images))[:count].tolist())
    paths = []
    for name, is_held_out in (("learnt", False), ("held_out", True)):
        part = [image for i, image in enumerate(images) if (i in held_out) == is_held_out]
        numbers = {image["id"] for image in part}
        boxes = [box for box in document["annotations"] if box["image_id"] in numbers]
        path = folder / f"{name}.json"
        path.write_text(json.dumps({**document, "images": part, "annotations": boxes}))
        paths.append(path)
    return paths[0], paths[1]


def _train(
    name: str, backbone: dict[str, Any], data: Path, folder: Path, options: argparse.Namespace
) -> Path:
    network = {"backbone": backbone, "classes": [], "stride": 8, "input_size": _INPUT_SIZE}
    return train(
        TrainingRequest(
            config="detection/face",
            work_dir=folder / name.replace(" ", "_"),
            data=data,
            images=options.images,
            faces=tuple(options.faces),
            seed=1,
            iterations=options.steps,
            overrides={
                "model.network": repr(network),
                "train_dataloader.batch_size": str(options.batch),
                "train_dataloader.num_workers": str(options.workers),
            },
        )
    )


def _measure(checkpoint: Path, annotations: Path, images: Path) -> tuple[str, str]:
    data = read_detection_set(annotations, images)
    entrant = enter(str(checkpoint), score=_LEAST_SCORE, threads=1)
    found = find_all(entrant, data, None, lambda: None)
    detections = [in_classes(finding.found, data.classes) for finding in found]
    scores = coco_scores(data.pictures, detections, data.classes)
    return f"{scores.numbers['AP']:.3f}", f"{scores.numbers['AP50']:.3f}"


def _time(checkpoint: Path, folder: Path, rounds: int) -> tuple[float, int]:
    """Milliseconds of the packed network, and its bytes."""
    network, _ = load_checkpoint(checkpoint)
    packed = export_model(
        network,
        name="timed",
        task=network.task,
        settings=network.settings(),
        provenance={},
        accuracy={},
    )
    saved = runtime.save(folder / "timed.safetensors", packed)
    runner = runtime.Runner(packed, batch=1, size_hw=_SIZE_HW, threads=1)
    image = np.random.default_rng(0).integers(0, 256, (1, *_SIZE_HW, 3), dtype=np.uint8)
    times = []
    for _ in range(rounds + 1):  # the first compiles
        started = perf_counter()
        runner(image)
        times.append(perf_counter() - started)
    return statistics.median(times[1:]) * 1e3, saved.file_bytes


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="COCO file to split")
    parser.add_argument("--images", type=Path, required=True, help="its pictures")
    parser.add_argument("--faces", type=Path, nargs="*", default=[], help="as of binvision train")
    parser.add_argument("--steps", type=int, default=600, help="of training [600]")
    parser.add_argument("--batch", type=int, default=64, help="pictures a step [64]")
    parser.add_argument("--workers", type=int, default=0, help="that render pictures [0]")
    parser.add_argument("--rounds", type=int, default=50, help="timed runs of a network [50]")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
