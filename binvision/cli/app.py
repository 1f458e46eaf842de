"""The ``binvision`` command: its subcommands, and the one place where errors become lines.

Whatever goes wrong, the user sees one line on stderr and the process ends with a code that
scripts can rely on: 0 done, 1 the work failed, 2 wrong use, 130 interrupted with Ctrl-C.
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from binvision import __version__
from binvision.cli import (
    align,
    bench,
    compare,
    demo,
    detect,
    eval_classifiers,
    eval_detectors,
    eval_landmarks,
    eval_trackers,
    export,
    info,
    methods,
    models,
    pose,
    refine,
    search,
    track,
    train,
)
from binvision.errors import BinvisionError, MediaError, MissingExtraError, UsageError

__all__ = ["app", "main"]

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

_EXTRA_OF_PACKAGE = {
    "torch": "train",
    "mmengine": "train",
    "tensorboard": "train",
    "distributed": "cluster",
    "got10k": "eval",
    "h5py": "eval",
    "matplotlib": "eval",
    "pycocotools": "eval",
    "scipy": "eval",
    "six": "eval",
}

_EXIT_CODES = "Exit codes: 0 done, 1 the work failed, 2 wrong use, 130 interrupted with Ctrl-C."

app = typer.Typer(
    help="Vision with 1-bit networks on a plain CPU.",
    epilog=f"Start with: binvision demo track — {_EXIT_CODES}",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _InterruptedError(Exception):
    """Ctrl-C inside a command, with what it says of it.

    Typer would turn KeyboardInterrupt into a silent exit.
    """


def _command(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except KeyboardInterrupt as interrupt:
            raise _InterruptedError(*interrupt.args) from interrupt

    return run


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"binvision {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, not its line alone.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_version),
    ] = False,
) -> None:
    """Take what all commands share; both options are acted upon elsewhere."""


_COMMANDS: dict[str, Callable[..., None]] = {
    "track": track.track,
    "detect": detect.detect,
    "align": align.align,
    "pose": pose.pose,
    "models": models.models,
    "methods": methods.methods,
    "info": info.info,
    "bench": bench.bench,
    "export": export.export,
    "refine": refine.refine,
    "compare": compare.compare,
    "train": train.train,
    "search": search.search,
}
for _name, _function in _COMMANDS.items():
    app.command(_name, epilog=_EXIT_CODES)(_command(_function))

_demo_app = typer.Typer(no_args_is_help=True, help="Show what binvision does, without any input.")
_demo_app.command("track", epilog=_EXIT_CODES)(_command(demo.track))
app.add_typer(_demo_app, name="demo")

_eval_app = typer.Typer(
    no_args_is_help=True, help="Measure what finds objects, points and targets on annotated data."
)
_EVAL_COMMANDS: dict[str, Callable[..., None]] = {
    "classification": eval_classifiers.classification,
    "coco": eval_detectors.coco,
    "fddb": eval_detectors.fddb,
    **{name: eval_landmarks.command(name) for name in eval_landmarks.BENCHMARKS},
    **{name: eval_trackers.command(name) for name in eval_trackers.BENCHMARKS},
}
for _name, _function in _EVAL_COMMANDS.items():
    _eval_app.command(_name, epilog=_EXIT_CODES)(_command(_function))
app.add_typer(_eval_app, name="eval")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: What follows the command's name; that of the process if None.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    if debug:  # taken anywhere on the line, although it belongs before the command
        given = ["--debug", *(argument for argument in given if argument != "--debug")]
    sys.exit(_run(given, debug or bool(os.environ.get("BINVISION_DEBUG"))))


def _run(arguments: list[str], debug: bool) -> int:
    try:
        code = app(arguments, prog_name="binvision", standalone_mode=False)
    except _InterruptedError as interrupt:
        return _fail("; ".join(("interrupted", *map(str, interrupt.args))), INTERRUPTED)
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(*_line_of(error))
    return code if isinstance(code, int) else DONE


def _line_of(error: Exception) -> tuple[str, int]:
    """What to tell the user about ``error``, and the exit code."""
    if isinstance(error, ImportError) and not isinstance(error, BinvisionError):
        error = _explained(error)
    if isinstance(error, UsageError):
        return str(error), WRONG_USE
    if isinstance(error, BinvisionError):
        return str(error), FAILED
    if hasattr(error, "format_message"):  # wrong options and arguments, as the parser words them
        return f"{error.format_message()} ('binvision COMMAND --help' explains)", WRONG_USE
    if isinstance(error, typer.Abort):
        return "interrupted", INTERRUPTED
    return (
        f"unexpected {type(error).__name__}: {error}; please report it with the output of the "
        f"same command and --debug",
        FAILED,
    )


def _explained(error: ImportError) -> Exception:
    """Say what to install: the extra of a missing package, or what OpenCV wants of the system."""
    package = (error.name or "").partition(".")[0]
    if package in _EXTRA_OF_PACKAGE:
        return MissingExtraError(
            f"this command needs the package {package}, which is not installed: "
            f'pip install "binvision[{_EXTRA_OF_PACKAGE[package]}]"'
        )
    if package == "cv2" and error.path:  # the package is there, its library is not loaded
        return MediaError(
            f"OpenCV cannot be loaded: {error}; install the system's OpenGL (Debian, Ubuntu: "
            f"apt-get install libgl1 libglib2.0-0), or opencv-python-headless in place of "
            f"opencv-python"
        )
    return error


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    typer.secho(f"error: {line}", err=True, fg=typer.colors.RED)
    return code


if __name__ == "__main__":
    main()
