"""Array kernels for CPUs, compiled by numba. No classes with state, no knowledge of models.

Pictures are flat and NHWC; rows are counted over the whole batch, and every kernel works on a
range of rows without the GIL, so that callers can share the rows among threads.
"""

from __future__ import annotations

from binvision.kernels.bits_to_bits import convolve_to_bits
from binvision.kernels.convolution import convolve
from binvision.kernels.correlation import correlate, correlate_channels, exemplar_weights
from binvision.kernels.elementwise import (
    add,
    add_enlarged,
    affine_prelu,
    clip,
    copy_channels,
    copy_rows,
    quantize,
    subtract_offset,
)
from binvision.kernels.isa import has_dot4, isa
from binvision.kernels.jit import announce_compilation, code_is_kept
from binvision.kernels.pack import pack_signs
from binvision.kernels.pooling import pool
from binvision.kernels.terms import convolve_terms
from binvision.kernels.upsampling import resize

__all__ = [
    "add",
    "add_enlarged",
    "affine_prelu",
    "announce_compilation",
    "clip",
    "code_is_kept",
    "convolve",
    "convolve_terms",
    "convolve_to_bits",
    "copy_channels",
    "copy_rows",
    "correlate",
    "correlate_channels",
    "exemplar_weights",
    "has_dot4",
    "isa",
    "pack_signs",
    "pool",
    "quantize",
    "resize",
    "subtract_offset",
]
