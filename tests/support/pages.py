"""README and docs as data: their code blocks, commands and links."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.support.repository import ROOT

__all__ = ["PAGES", "anchors", "blocks", "commands", "links"]

PAGES = [
    ROOT / "README.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "changelog.d"),
]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Bodies of the fenced code blocks in ``language``."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [body for name, body in found if name == language]


def commands(page: Path) -> list[list[str]]:
    """Every call of ``binvision`` in the page's bash blocks, as words after the program's name."""
    calls = []
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|;|\|", line):
                words = shlex.split(part, comments=True)
                if words and Path(words[0]).name == "binvision":
                    calls.append(words[1:])
    return calls


def links(page: Path) -> list[str]:
    """Targets of the page's links and pictures that lie in the repository."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [target for target in _LINK.findall(text) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The fragments that the page's headings can be reached by."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    found = set()
    for heading in _HEADING.findall(text):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(kept.strip().replace(" ", "-"))
    return found
