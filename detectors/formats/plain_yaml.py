"""The few shapes of YAML in which data sets are described: words, lists and one level of names.

    path: ../data                  a word, quoted or not
    names: [cat, dog]              a list, over one line or several
    names:                         a list with a dash a line, or names with a word each
      0: cat

Everything else is left out, so that files with more in them can be read.
"""

from __future__ import annotations

import re
from pathlib import Path

from binvision.detectors.formats.written import read_text

__all__ = ["read_plain_yaml"]

_ENTRY = re.compile(r"""(?P<key>"[^"]*"|'[^']*'|[^\s:#][^:#]*?)\s*:(?:\s+(?P<value>.*))?$""")


def read_plain_yaml(path: Path) -> dict[str, object]:
    """Read the top level: each value is a str, a list of str, or a dict of str to str.

    Raises:
        DataError: The file cannot be read.
    """
    found: dict[str, object] = {}
    key = ""
    lines = iter(read_text(path).splitlines())
    for raw in lines:
        line = _without_comment(raw)
        if not line.strip():
            continue
        is_top = not raw[0].isspace() and not raw.startswith("-")
        entry = _ENTRY.match(line.strip())
        if is_top:
            key = _unquoted(entry["key"]) if entry else ""
            text = (entry["value"] or "").strip() if entry else ""
            while text[:1] in ("[", "{") and text[-1:] not in ("]", "}"):
                text += " " + _without_comment(next(lines, "]")).strip()
            if key:
                found[key] = _value(text)
        elif line.strip().startswith("-"):
            known = found.get(key)
            word = _unquoted(line.strip()[1:])
            found[key] = [*known, word] if isinstance(known, list) else [word]
        elif entry:
            known = found.get(key)
            pair = {_unquoted(entry["key"]): _unquoted(entry["value"] or "")}
            found[key] = {**known, **pair} if isinstance(known, dict) else pair
    return found


def _value(text: str) -> object:
    if text.startswith("["):
        return [_unquoted(part) for part in _parts(text)]
    if text.startswith("{"):
        pairs = (part.partition(":") for part in _parts(text))
        return {_unquoted(name): _unquoted(value) for name, _, value in pairs}
    return _unquoted(text)


def _parts(text: str) -> list[str]:
    """What stands between the commas of a list in brackets, those in quotes aside."""
    parts = re.findall(r"""(?:"[^"]*"|'[^']*'|[^,"'])+""", text.strip()[1:-1])
    return [part for part in parts if part.strip()]


def _unquoted(text: str) -> str:
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _without_comment(line: str) -> str:
    return re.sub(r"""(^|\s)#(?=([^"']*["'][^"']*["'])*[^"']*$).*""", "", line).rstrip()
