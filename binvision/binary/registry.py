"""Parts by name, built from a name or from a configuration dict."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from binvision.errors import ConfigError

__all__ = ["Registry", "Spec", "split", "unknown"]

Spec = str | Mapping[str, Any]  # a name, or dict(type=name, **options)
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Generic[T]):
    """Names of one kind of part and what makes each.

    Args:
        kind: What the parts are called in messages, such as ``scale``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._makers: dict[str, Callable[..., T]] = {}

    def register(self, name: str) -> Callable[[F], F]:
        """Enter the decorated class or function as ``name``.

        Raises:
            ConfigError: The name is taken.
        """

        def enter(maker: F) -> F:
            if name in self._makers:
                raise ConfigError(f"there is a {self.kind} {name!r} already; choose another name")
            self._makers[name] = maker
            return maker

        return enter

    def build(self, spec: Spec, *args: Any) -> T:
        """Make the part that ``spec`` names from ``args`` and the options of the spec.

        Raises:
            ConfigError: There is no such part, or it does not take the options.
        """
        name, options = (spec, {}) if isinstance(spec, str) else split(spec)
        maker = self[name]
        try:
            inspect.signature(maker).bind(*args, **options)
        except TypeError as error:
            raise ConfigError(f"{self.kind} {name!r}: {error}") from None
        return maker(*args, **options)

    def __getitem__(self, name: str) -> Callable[..., T]:
        """Return what makes the part ``name``.

        Raises:
            ConfigError: There is no such part; the message lists the valid names.
        """
        if name in self._makers:
            return self._makers[name]
        raise ConfigError(unknown(self.kind, name, self))

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)


def split(spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the type of a configuration dict and its other entries."""
    options = dict(spec)
    if not isinstance(options.get("type"), str):
        raise ConfigError(f"{options}: expected a name, or dict(type=NAME, ...)")
    return options.pop("type"), options


def unknown(kind: str, name: str, names: Iterator[str] | Registry[Any] | Mapping[str, Any]) -> str:
    """Word the message for a name that is not among ``names``."""
    valid = list(names)
    close = difflib.get_close_matches(name, valid, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {name!r}; valid: {', '.join(valid)}.{hint}"
