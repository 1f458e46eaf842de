"""Lists of sequences that the got10k toolkit carries for the benchmarks that have none on disk.

Only its tables are read: its dataset classes download what they miss.
"""

from __future__ import annotations

import json
from importlib import import_module, resources
from typing import Any, NamedTuple

from binvision.errors import MissingExtraError

__all__ = ["Span", "otb_folders", "uav_spans"]

_OTB_VERSIONS = {"OTB2013": 2013, "OTB50": "tb50", "OTB100": "tb100"}


class Span(NamedTuple):
    """The pictures of one UAV123 sequence; several sequences share a folder.

    Attributes:
        folder: Where they are.
        first: Number of the first picture, counted from 1.
        last: Number of the last picture.
    """

    folder: str
    first: int
    last: int


def otb_folders(title: str) -> tuple[str, ...]:
    """Names of the folders of ``"OTB2013"``, ``"OTB50"`` or ``"OTB100"``.

    One less than its sequences for each folder with two targets.

    Raises:
        MissingExtraError: the got10k toolkit is not installed.
    """
    dataset = _toolkit("got10k.datasets.otb").OTB
    # The toolkit keeps its lists in an attribute that is private to the class.
    return tuple(dataset._OTB__version_dict[_OTB_VERSIONS[title]])


def uav_spans(title: str) -> dict[str, Span]:
    """Pictures of each sequence of ``"UAV123"``, ``"UAV123_10fps"`` or ``"UAV20L"``.

    UAV123_10fps is every third picture of UAV123, numbered anew; the toolkit does not know it.

    Raises:
        MissingExtraError: the got10k toolkit is not installed.
    """
    _toolkit("got10k.datasets")
    text = resources.files("got10k.datasets").joinpath("uav123.json").read_text(encoding="utf-8")
    step = 3 if title == "UAV123_10fps" else 1
    config = json.loads(text)["UAV20L" if title == "UAV20L" else "UAV123"]
    return {
        name: Span(
            facts["folder_name"],
            (facts["start_frame"] - 1) // step + 1,
            (facts["end_frame"] - 1) // step + 1,
        )
        for name, facts in config.items()
    }


def _toolkit(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"the list of this benchmark's sequences is in the got10k toolkit ({error}); "
            f'pip install "binvision[eval]"'
        ) from error
