"""Batches of labelled pictures, made where the network is: no loader limits a small network."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import DATASETS, MODELS
from torch import Tensor
from torch.utils.data import Dataset

from binvision.classifiers.pictures import read_pictures
from binvision.errors import DataError

__all__ = ["NumberedPictures", "PictureBatches"]

_GREY = 128  # around pictures that are shifted


@DATASETS.register_module()
class NumberedPictures(Dataset[dict[str, int]]):
    """Numbers of the pictures of a schedule; :class:`PictureBatches` knows what each one is.

    Args:
        data: The archive; see :func:`read_pictures`.
        length: Pictures of the whole schedule.
        seed: Of their order and changes.
    """

    def __init__(self, data: str, length: int, seed: int = 0) -> None:
        self.data, self.length, self.seed = data, length, seed

    def __len__(self) -> int:
        """Return the number of pictures of the schedule."""
        return self.length

    def __getitem__(self, number: int) -> dict[str, int]:
        return {"numbers": number}


@MODELS.register_module()
class PictureBatches(BaseDataPreprocessor):
    """Numbers to pictures and labels, all of them on the device that the network is on.

    Every pass over the pictures has an order of its own. Each picture is shifted by up to
    ``shift`` pixels both ways, the border filled with grey, and mirrored every other time (He et
    al., Deep Residual Learning, CVPR 2016, section 4.2). A number, the seed and the size of the
    batches decide all of it, so that a resumed run sees what it would have seen.

    Attributes:
        pixels: All pictures, (N, S, S, 3) uint8.
        labels: Their classes, (N,).

    Args:
        data: The archive; see :func:`read_pictures`.
        seed: Of order and changes.
        shift: Greatest shift, pixels.
    """

    pixels: Tensor
    labels: Tensor

    def __init__(self, data: str, seed: int = 0, shift: int = 4) -> None:
        super().__init__()
        if not data:
            raise DataError("no pictures to train on: pass --data cifar10_jpeg.npz")
        found = read_pictures(Path(data), "train")
        self.seed, self._shift = seed, shift
        self.register_buffer("pixels", torch.from_numpy(found.images), persistent=False)
        self.register_buffer("labels", torch.from_numpy(found.labels), persistent=False)
        self.draw_by(None)

    def draw_by(self, weights: Tensor | None) -> None:
        """Show pictures as often as they weigh.

        A pass has as many pictures as there are, picture i either ``floor(weights[i])`` times or
        once more (systematic sampling), so that whole numbers are exact.

        Args:
            weights: Float64 (N,), not negative, of mean 1; None shows each picture once.
        """
        self._weights = weights
        self._order = functools.lru_cache(maxsize=2)(self._draw_order)

    def keep(self, chosen: Tensor) -> None:
        """Leave all pictures out but these, (M,) int64 numbers in the archive."""
        self.pixels, self.labels = self.pixels[chosen], self.labels[chosen]
        self._order.cache_clear()

    def forward(self, data: dict[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """Return ``images`` (N, 3, S, S) float32 in 0..255, BGR, and ``labels`` (N,)."""
        numbers = data["numbers"].cpu()
        count, side = len(self.labels), self.pixels.shape[1]
        first, last = int(numbers.min()) // count, int(numbers.max()) // count
        order = torch.cat([self._order(one) for one in range(first, last + 1)])
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + int(numbers[0]))
        offsets = torch.randint(2 * self._shift + 1, (2, len(numbers), 1), generator=generator)
        mirrored = torch.rand(len(numbers), 1, generator=generator) < 0.5
        rows, columns = torch.arange(side) + offsets - self._shift
        columns = torch.where(mirrored, columns.flip(1), columns)

        chosen = order[numbers - first * count].to(self.pixels.device, non_blocking=True)
        rows, columns = rows[:, :, None].to(chosen.device), columns[:, None].to(chosen.device)
        images = self.pixels[
            chosen.view(-1, 1, 1), rows.clamp(0, side - 1), columns.clamp(0, side - 1)
        ]
        inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
        images = torch.where(inside[..., None], images, _GREY)
        # NHWC seen as NCHW is channels_last.
        return {"images": images.permute(0, 3, 1, 2).float(), "labels": self.labels[chosen]}

    def _draw_order(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1_000_033 + epoch)
        count = len(self.labels)
        order = torch.randperm(count, generator=generator)
        if self._weights is None:
            return order
        until = self._weights.cumsum(0)
        places = torch.arange(count) + torch.rand((), generator=generator, dtype=torch.float64)
        # Rounding may leave the last sum a little short of the count.
        drawn = torch.searchsorted(until, places, right=True).clamp(max=count - 1)
        return drawn[order]
