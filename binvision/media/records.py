"""From parsed JSON to frozen dataclasses, checking every type on the way."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from binvision.errors import DataError

__all__ = ["decode"]

T = TypeVar("T")


def decode(kind: type[T], value: object, where: str) -> T:
    """Build ``kind`` from what `json.loads` returned; keys that it does not have are ignored.

    Args:
        kind: A dataclass of dataclasses, ``str``, ``int``, ``float``, ``dict[str, ...]``,
            ``tuple[..., ...]``, ``... | None`` and ``object``.
        value: The parsed JSON.
        where: Name of the document, for messages.

    Raises:
        DataError: a key is missing, a type is wrong or a number is not finite; it names the place.
    """
    result: T = _decode(kind, value, where)
    return result


def _decode(kind: Any, value: Any, where: str) -> Any:
    if kind is object:
        return value
    if is_dataclass(kind):
        return _record(kind, _expect(dict, value, where), where)
    origin = get_origin(kind)
    if origin is dict:
        inner = get_args(kind)[1]
        content = _expect(dict, value, where)
        return {key: _decode(inner, item, f"{where}: {key}") for key, item in content.items()}
    if origin is UnionType:
        (inner,) = (choice for choice in get_args(kind) if choice is not type(None))
        return None if value is None else _decode(inner, value, where)
    if origin is tuple:
        return _several(get_args(kind), _expect(list, value, where), where)
    if kind is float:
        number = _expect((int, float), value, where)
        if not abs(number) <= sys.float_info.max:  # NaN is not, and a large int has no float
            raise DataError(f"{where}: expected a finite number, found {number!r:.40}")
        return float(number)
    return _expect(kind, value, where)


def _record(kind: Any, value: dict[str, Any], where: str) -> Any:
    hints = _hints(kind)
    missing = [field.name for field in fields(kind) if field.name not in value]
    if missing:
        raise DataError(f"{where}: {missing[0]} is missing")
    return kind(
        **{
            field.name: _decode(hints[field.name], value[field.name], f"{where}: {field.name}")
            for field in fields(kind)
        }
    )


@lru_cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _several(kinds: tuple[Any, ...], value: list[Any], where: str) -> tuple[Any, ...]:
    if kinds[-1] is ...:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise DataError(f"{where}: expected {len(kinds)} values, found {len(value)}")
    return tuple(
        _decode(kind, item, f"{where}[{index}]")
        for index, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


_NAMES: dict[Any, str] = {dict: "an object", list: "a list", str: "text", int: "a whole number"}


def _expect(kind: Any, value: Any, where: str) -> Any:
    # To Python a bool is an int; in a report it is never one.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise DataError(f"{where}: expected {_NAMES.get(kind, 'a number')}, found {value!r:.40}")
    return value
