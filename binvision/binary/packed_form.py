"""What a method comes down to at inference."""

from __future__ import annotations

from binvision.binary.conv import BinaryConv2d
from binvision.binary.registry import Spec
from binvision.errors import ExportError

__all__ = ["packed_form"]

_CHANNELS, _SIDE = 16, 3  # of the layer that is looked at


def packed_form(method: Spec) -> str:
    """Say in some words what a 3x3 layer of a method runs as in the packed runtime.

    Raises:
        ConfigError: There is no such method.
    """
    layer = BinaryConv2d(_CHANNELS, _CHANNELS, _SIDE, method=method)
    if not layer.is_binary:
        has_signs = layer.quantizer is not None and layer.quantizer.is_binary
        if layer.activation is not None:
            return "real convolution of signs"
        return "real convolution, kernels of +-1" if has_signs else "real convolution"
    try:
        folded = layer.folded()
    except ExportError:
        return "PyTorch alone"
    planes = folded["threshold"].dim() > 1 and len(folded["threshold"]) or 1
    kernels, taps = len(folded["signs"]), folded["scale"].dim() > 1 and folded["scale"].shape[2] > 1
    count = planes * kernels
    words = "XNOR convolution" if count == 1 else f"sum of {count} XNOR convolutions"
    if count > 1:
        words += f" ({planes} planes x {kernels} kernels)"
    return words + (", each tap scaled" if taps else "")
