"""What a detection configuration takes from its data, and what a user is told of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mmengine.config import Config
from rich.console import Console

from binvision.detectors.annotations import DetectionSet, read_detection_set, summary
from binvision.errors import DataError

__all__ = ["describe", "settle"]

_PROBLEMS_SHOWN = 5


def settle(config: Config) -> DetectionSet:
    """Put the annotations' classes and the network's sizes where the configuration needs them.

    Raises:
        DataError: There are no annotations, they are damaged, or those to validate with have
            nothing to be found.
        ImportError: They are to be validated with, and pycocotools is not installed.
    """
    dataset, network = config.train_dataloader.dataset, config.model.network
    if not dataset.data:
        raise DataError("no annotations to train on: pass --data annotations.json --images FOLDER")
    found = read_detection_set(
        Path(dataset.data), _folder(dataset.images), list(network.classes) or None
    )
    network.classes = dataset.classes = list(found.classes)
    dataset.stride, dataset.input_size = network.stride, network.input_size
    _settle_validation(config, found.classes)
    return found


def describe(found: DetectionSet, console: Console) -> None:
    """Print what there is to train on, by class and size, and what was left out of it."""
    from binvision.detectors.evaluation.tables import summary_table

    console.print(summary_table(found))
    told = list(found.problems[:_PROBLEMS_SHOWN])
    if len(found.problems) > len(told):
        told.append(f"and {len(found.problems) - len(told)} more of {len(found.problems)}")
    for problem in told:
        console.print(f"note: {problem}", markup=False, highlight=False, soft_wrap=True)


def _settle_validation(config: Config, classes: tuple[str, ...]) -> None:
    """Choose the classes that can be measured; drop the validation where there are no data."""
    dataset = config.val_dataloader.dataset
    if not dataset.data:
        config.val_dataloader = config.val_evaluator = config.val_cfg = None
        return
    import_module("pycocotools")  # to be missed now, not after some hundred steps
    found = read_detection_set(Path(dataset.data), _folder(dataset.images), split="val")
    dataset.classes = [name for name in found.classes if name in classes]
    boxes = {row.name: row.boxes for row in summary(found)}
    if not any(boxes[name] for name in dataset.classes):
        raise DataError(
            f"{dataset.data}: holds no object of the classes {', '.join(classes)}; "
            f"pass other --val-data, or none"
        )


def _folder(images: str) -> Path | None:
    return Path(images) if images else None
