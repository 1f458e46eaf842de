"""What this CPU offers, and the register blocking that suits it."""

from __future__ import annotations

import platform
from typing import Literal, NamedTuple

import llvmlite.binding as llvm
from numba.core import config

__all__ = ["BLOCKING", "BLOCKINGS", "Blocking", "has_dot4", "isa", "kernel_path"]


class Blocking(NamedTuple):
    """Shape of the inner loop's register tile.

    ``rows`` output pixels by ``vectors`` vectors of output channels are summed in registers; a
    vector has ``vector_bytes`` bytes. The ones of binary products are counted in whole ``words``,
    or byte by byte, with an instruction (``bytes``) or by looking the half bytes of two rows up
    (``table``, for an even number of rows).
    """

    vector_bytes: int
    rows: int
    vectors: int
    counts_bits_by: Literal["words", "bytes", "table"]

    @property
    def bit_lanes(self) -> int:
        """Channels of a vector where products are binary."""
        return self.vector_bytes // (8 if self.counts_bits_by == "words" else 1)

    def lanes(self, itemsize: int) -> int:
        """Return the channels of a vector, for weights of ``itemsize`` bytes a step."""
        return self.bit_lanes if itemsize == 8 else self.vector_bytes // itemsize


# Accumulators (rows * vectors) + weights (vectors) + broadcasts must fit the register file:
# 32 registers on AVX-512 and NEON, 16 on AVX2, and no assumption elsewhere.
BLOCKINGS = {
    "avx512": Blocking(64, 4, 4, "words"),
    "avx2": Blocking(32, 4, 2, "table"),
    "neon": Blocking(16, 4, 4, "bytes"),
    "portable": Blocking(16, 4, 1, "words"),
}


def _features() -> set[str]:
    """Return the CPU features that numba compiles for, as LLVM names them."""
    if config.CPU_FEATURES is not None:  # set by NUMBA_CPU_FEATURES
        return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    return {name for name, present in llvm.get_host_cpu_features().items() if present}


def _detect(features: set[str]) -> str:
    if "avx512vpopcntdq" in features:
        return "avx512"
    if "avx2" in features and "fma" in features:
        return "avx2"
    if "neon" in features or platform.machine() in ("aarch64", "arm64"):
        return "neon"
    return "portable"


_FEATURES = _features()
_ISA = _detect(_FEATURES)
BLOCKING = BLOCKINGS[_ISA]


def isa() -> str:
    """Return the kernel path of this CPU: ``avx512``, ``avx2``, ``neon`` or ``portable``.

    ``avx512`` means AVX-512 with VPOPCNTDQ. The features are those numba compiles for, so the
    environment variables ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` narrow the choice.
    """
    return _ISA


def has_dot4() -> bool:
    """Tell whether the CPU multiplies and adds four 8-bit pairs in one instruction (VNNI)."""
    wide = _ISA == "avx512" and "avx512vnni" in _FEATURES
    return wide or (_ISA == "avx2" and "avxvnni" in _FEATURES)


def kernel_path() -> str:
    """Name the kernels that this CPU runs, for example ``"avx512 with vnni"``."""
    return isa() + (" with vnni" if has_dot4() else "")
