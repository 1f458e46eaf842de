"""Every error that binvision raises on purpose, in one tree.

    BinvisionError
    ├── UsageError (ValueError)        a call or an option that cannot mean anything
    │   ├── BoxError                   a target box without area or outside its frame
    │   └── FrameError                 a frame of the wrong size, type or channel count
    ├── ConfigError (ValueError)       an unknown method, key or value in a configuration
    ├── ModelError (ValueError)        a model that cannot be used
    │   ├── ModelFileError             the file is missing, cut short, damaged or of a newer format
    │   └── ModelTaskError             the model was made for another task
    ├── ExportError (ValueError)       a network that has no packed form
    ├── DataError (ValueError)         annotations or training data that are missing or wrong
    ├── MediaError (OSError)           pictures that cannot be read or written
    │   ├── SourceError                a video, folder, camera or stream that does not deliver
    │   └── SinkError                  an output that cannot be written
    ├── TrackingError (RuntimeError)   a tracker that fails in the middle of a sequence
    ├── WorkerError (RuntimeError)     a process or machine that works for us and is lost
    └── MissingExtraError (ImportError)  a command whose optional packages are not installed

Each class is also the built-in error that a caller would expect, so that code which knows
nothing of binvision can still catch it. A message is one line: what is wrong, where, what was
expected, what was found, and how to mend it.
"""

from __future__ import annotations

__all__ = [
    "BinvisionError",
    "BoxError",
    "ConfigError",
    "DataError",
    "ExportError",
    "FrameError",
    "MediaError",
    "MissingExtraError",
    "ModelError",
    "ModelFileError",
    "ModelTaskError",
    "SinkError",
    "SourceError",
    "TrackingError",
    "UsageError",
    "WorkerError",
]


class BinvisionError(Exception):
    """Base of every error in this package."""


class UsageError(BinvisionError, ValueError):
    """A call or an option that cannot mean anything."""


class BoxError(UsageError):
    """A target box has no area, is not finite, or lies outside its frame."""


class FrameError(UsageError):
    """A frame has the wrong size, data type or number of channels."""


class ConfigError(BinvisionError, ValueError):
    """A configuration names a method, key or value that does not exist."""


class ModelError(BinvisionError, ValueError):
    """A model cannot be used."""


class ModelFileError(ModelError):
    """A model file is missing, cut short, damaged or of an unknown format version."""


class ModelTaskError(ModelError):
    """A model was made for another task than the one it is asked to do."""


class ExportError(BinvisionError, ValueError):
    """A network holds something that has no packed form."""


class DataError(BinvisionError, ValueError):
    """Annotations or training data are missing, inconsistent or unreadable."""


class MediaError(BinvisionError, OSError):
    """Pictures cannot be read or written."""


class SourceError(MediaError):
    """A video, image folder, camera or stream does not deliver frames."""


class SinkError(MediaError):
    """An output file cannot be written."""


class TrackingError(BinvisionError, RuntimeError):
    """A tracker fails in a frame that could be read."""


class WorkerError(BinvisionError, RuntimeError):
    """A process or a machine that works for us died, cannot be reached, or differs from ours."""


class MissingExtraError(BinvisionError, ImportError):
    """A command needs packages from an extra that is not installed."""
