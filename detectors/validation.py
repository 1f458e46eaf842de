"""Validation of detectors under mmengine: what ``binvision eval coco`` measures, while training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.registry import DATASETS, METRICS
from torch.utils.data import Dataset

from binvision.detectors.annotations import Picture, read_detection_set, read_picture
from binvision.detectors.detections import Detections
from binvision.detectors.evaluation.coco_metric import NUMBERS, coco_scores, in_classes

__all__ = ["AnnotatedPictures", "CocoMetric"]


@DATASETS.register_module()
class AnnotatedPictures(Dataset):
    """Pictures as they are, with their objects.

    Args:
        data: Annotations, as :func:`read_detection_set` takes them; their part ``val``.
        images: Folder of the pictures; "" where the annotations say it.
        classes: Names of the classes to keep.

    Raises:
        DataError: The annotations are missing or damaged.
        UsageError: They have no such class.
    """

    def __init__(self, data: str, images: str, classes: Sequence[str]) -> None:
        folder = Path(images) if images else None
        self._set = read_detection_set(Path(data), folder, classes, split="val")
        self.metainfo = {"classes": self._set.classes}

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._set.pictures)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return ``picture``, a :class:`Picture`, and ``image`` (H, W, 3) uint8, BGR."""
        picture = self._set.pictures[index]
        return {"picture": picture, "image": read_picture(picture)}


@METRICS.register_module()
class CocoMetric(BaseMetric):
    """COCO's twelve numbers, by name; those of sizes that no object has are left out."""

    default_prefix = "coco"

    def __init__(self) -> None:
        # Processes exchange what they found over their group, on the CPU too; the other way of
        # mmengine leaves files in the current folder.
        super().__init__(collect_device="gpu")

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[Detections]) -> None:
        """Take what was found in a batch of pictures."""
        self.results += zip(data_batch["picture"], data_samples, strict=True)

    def compute_metrics(self, results: list[tuple[Picture, Detections]]) -> dict[str, float]:
        """Measure what was found in all pictures, by all processes."""
        classes = self.dataset_meta["classes"]
        pictures = [picture for picture, _ in results]
        found = [in_classes(detections, classes) for _, detections in results]
        numbers = coco_scores(pictures, found, classes).numbers
        return {name: value for name in NUMBERS if (value := numbers[name]) is not None}
