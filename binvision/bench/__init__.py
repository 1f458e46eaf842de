"""Measuring: what a packed model costs, what this CPU could do, and how other engines fare.

``ceiling`` measures the CPU, ``steps`` a model step by step, ``contest`` a model against the same
network in other engines, each of which has a module of its own name. NumPy and numba suffice;
the engines come with the extra ``bench``.
"""

from __future__ import annotations

__all__: list[str] = []
