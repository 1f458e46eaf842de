"""Compilation of kernels: without the GIL, cached on disk, and announced while it happens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event
from numba.core.caching import FunctionCache

__all__ = ["announce_compilation", "code_is_kept", "kernel"]


def _source_digest() -> str:
    """Return a digest of all kernel sources."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_DIGEST = _source_digest()


class _KernelCache(FunctionCache):
    """numba's cache on disk, aware of every file that a kernel is made from.

    numba renews an entry when the function's own file changes. Kernels inline code from their
    neighbours, so a change there must renew them too. Where a file of the cache is damaged or
    cannot be written, the kernel is compiled and nothing else happens.
    """

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), _DIGEST)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled code of a signature, or None."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever unpickling says of a file that was cut short or overwritten
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the compiled code of a signature if possible."""
        try:
            super().save_overload(sig, data)
        except OSError:  # rights or space are gone
            _unkept.add(str(sig))


_unkept: set[str] = set()  # what could not be written to a cache


def code_is_kept() -> bool:
    """Tell whether all compiled code so far is kept on disk for the next start."""
    return not _unkept


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function`` at its first call, to machine code that runs without the GIL.

    The code is kept in ``__pycache__`` beside the source, in the user's cache folder where the
    installation is read-only, and only in memory where neither can be written.
    """
    dispatcher = njit(nogil=True, error_model="numpy")(function)
    try:
        dispatcher._cache = _KernelCache(function)
    except RuntimeError:  # numba's "no locator available": no folder to cache in
        _unkept.add(function.__name__)
    return dispatcher


class _Announcer(event.Listener):
    """Tells a callback the name of each kernel as its compilation starts."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report

    def on_start(self, event: event.Event) -> None:
        self._report(event.data["dispatcher"].py_func.__name__)

    def on_end(self, event: event.Event) -> None:
        """Nothing to tell: the next start, or the caller, ends the line."""


@contextmanager
def announce_compilation(report: Callable[[str], None]) -> Iterator[None]:
    """Call ``report(kernel_name)`` for every kernel compiled inside the block.

    Kernels loaded from the cache are not reported.
    """
    with event.install_listener("numba:compile", _Announcer(report)):
        yield
