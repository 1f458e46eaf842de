"""An embedder without a network: small grey patches as features. Tests of the tracking loop need
a network that matches textures, not one that was trained."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.trackers.settings import SiamFCSettings

_BLUR = 4.0  # pixels; wide enough that half a cell of displacement changes little
_PATCH, _STRIDE, _TAPS = 15, 8, 5  # 127 pixels give 15 cells, 239 give 29, as the real network


class NumpyEmbedder:
    """Feature of a cell: the 15x15 patch around it, reduced to 5x5 BGR, zero mean, unit length.

    A perfect match of the exemplar's 9x9 cells has logit 8, no likeness at all -6.
    """

    def __init__(self, **settings: float) -> None:
        cells = 9 * 9
        values = {"response_scale": 14.0 / cells, "response_bias": -6.0, "exemplar_crop": 9}
        self.settings = SiamFCSettings.from_mapping(values | settings, "test embedder")
        self.name = "numpy-patches"
        self.calls = 0

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, S, S, 3) uint8 to (N, h, w, 75) float32."""
        self.calls += 1
        return np.stack([_features(image) for image in images])


def _features(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    step = _PATCH // _TAPS
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), _BLUR)
    cells = (image.shape[0] - _PATCH) // _STRIDE + 1
    base = np.arange(cells) * _STRIDE
    taps = np.arange(_TAPS) * step + step // 2
    rows = (base[:, None] + taps).reshape(-1)
    sampled = smooth[rows[:, None], rows].reshape(cells, _TAPS, cells, _TAPS, 3)
    features = sampled.transpose(0, 2, 1, 3, 4).reshape(cells, cells, -1)
    features -= features.mean(-1, keepdims=True)
    features /= np.linalg.norm(features, axis=-1, keepdims=True) + 20.0
    return np.ascontiguousarray(features, np.float32)
