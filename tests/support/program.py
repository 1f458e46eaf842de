"""The command line as data, read from the signatures that typer reads.

    python -m tests.support.program --write

renders ``docs/reference/cli.md``; a test fails where the page and the program differ.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.models import ArgumentInfo

from tests.support.repository import ROOT

__all__ = ["PAGE", "Command", "Parameter", "commands_of", "render"]

PAGE = ROOT / "docs" / "reference" / "cli.md"

_HEAD = """\
# Commands

Rendered from the program: `python -m tests.support.program --write`. For a terminal the same text
is `binvision COMMAND --help`.

Results go to stdout or to the file that is named; progress and warnings go to stderr. Exit codes:
0 done, 1 the work failed, 2 wrong use, 130 interrupted with Ctrl-C. An error is one line.
`binvision --debug COMMAND ...` adds the traceback, `binvision --version` prints the version.
"""

_VALUE_NAMES = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


@dataclass(frozen=True)
class Parameter:
    """An argument or an option of a command."""

    is_argument: bool
    names: tuple[str, ...]  # of an option; an argument has its display name here
    value: str  # what to give, in capitals or as a list of choices; "" for a flag
    required: bool
    repeatable: bool
    default: Any
    help: str


@dataclass(frozen=True)
class Command:
    """A command that does something, by the words that call it."""

    path: tuple[str, ...]
    help: str
    parameters: tuple[Parameter, ...]
    function: Callable[..., Any]  # what does the work, perhaps of several commands

    @property
    def arguments(self) -> list[Parameter]:
        return [parameter for parameter in self.parameters if parameter.is_argument]

    @property
    def options(self) -> list[Parameter]:
        return [parameter for parameter in self.parameters if not parameter.is_argument]


def commands_of(app: typer.Typer, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Command]:
    """Every command of ``app`` and of the groups in it."""
    found = {}
    for info in app.registered_commands:
        function = info.callback
        assert function is not None
        here = (*path, info.name or function.__name__)
        text = inspect.cleandoc(function.__doc__ or "")
        found[here] = Command(here, text, _parameters(function), inspect.unwrap(function))
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found |= commands_of(group.typer_instance, (*path, str(group.name)))
    return found


def render(app: typer.Typer) -> str:
    """The whole page; commands that share function and options share a section."""
    sections: dict[Any, list[Command]] = {}
    for _, command in sorted(commands_of(app).items()):
        options = tuple(parameter.names for parameter in command.parameters)
        sections.setdefault((command.function, options), []).append(command)
    return "\n".join([_HEAD, *map(_section, sections.values())])


# From a signature to parameters


def _parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    hints = typing.get_type_hints(function, include_extras=True)
    signature = inspect.signature(function)
    return tuple(
        _parameter(name, hints[name], signature.parameters[name])
        for name in hints
        if name != "return"
    )


def _parameter(name: str, hint: Any, declared: inspect.Parameter) -> Parameter:
    kind, info = typing.get_args(hint)[:2]
    kind = _without_none(kind)
    repeatable = typing.get_origin(kind) is list
    kind = typing.get_args(kind)[0] if repeatable else kind
    is_argument = isinstance(info, ArgumentInfo)
    # In Annotated, typer keeps the first declared name where a default would stand.
    first = (info.default,) if isinstance(info.default, str) else ()
    decls = (*first, *(getattr(info, "param_decls", None) or ()))
    is_flag = kind is bool
    long_name = "--" + name.strip("_").replace("_", "-")
    # typer gives a flag without declared names its opposite too
    names = decls or ((long_name, long_name.replace("--", "--no-", 1)) if is_flag else (long_name,))
    value = "" if is_flag else str(info.metavar or _value_name(kind))
    required = declared.default is inspect.Parameter.empty
    return Parameter(
        is_argument=is_argument,
        names=(str(info.metavar or name.strip("_").upper()),) if is_argument else names,
        value=value,
        required=required,
        repeatable=repeatable,
        default=None if required else declared.default,
        help=" ".join((info.help or "").split()),
    )


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        (kind,) = [part for part in typing.get_args(kind) if part is not type(None)]
    return kind


def _value_name(kind: type) -> str:
    if issubclass(kind, Enum):
        return " or ".join(str(choice.value) for choice in kind)
    return _VALUE_NAMES[kind]


# From a command to its section


def _section(commands: list[Command]) -> str:
    command = commands[0]
    arguments = [_argument_name(parameter) for parameter in command.arguments]
    words = [*arguments, *(["[OPTIONS]"] if command.options else [])]
    lines = [f"## binvision {_words(commands)}", "", *_help_lines(command.help), ""]
    # The others are the same but for what they are about.
    lines += [f"- `{other.path[-1]}`: {other.help.splitlines()[0]}" for other in commands[1:]]
    lines += [""] * (len(commands) > 1)
    call = " ".join(("binvision", *command.path, *words))
    lines += ["```text", call, "```", ""]
    rows = [(f"`{_argument_name(parameter)}`", parameter) for parameter in command.arguments]
    rows += [(_option_name(parameter), parameter) for parameter in command.options]
    if rows:
        lines += ["| | |", "|---|---|"]
        lines += [f"| {name} | {_meaning(parameter)} |" for name, parameter in rows]
        lines.append("")
    return "\n".join(lines)


def _words(commands: list[Command]) -> str:
    """What calls them: the words that they share, and the last one of each."""
    return " ".join((*commands[0].path[:-1], ", ".join(command.path[-1] for command in commands)))


def _help_lines(text: str) -> list[str]:
    """A command's help with its examples set as commands to paste."""
    lines = []
    for line in text.splitlines():
        if line.startswith("Example: "):
            lines += ["```bash", line.removeprefix("Example: "), "```"]
        else:
            lines.append(line)
    return lines


def _argument_name(parameter: Parameter) -> str:
    (name,) = parameter.names
    name += "..." if parameter.repeatable else ""
    return name if parameter.required else f"[{name}]"


def _option_name(parameter: Parameter) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.names)
    return f"{names} `{parameter.value}`" if parameter.value else names


def _meaning(parameter: Parameter) -> str:
    text = parameter.help.replace("|", "\\|")
    default = parameter.default
    if isinstance(default, Enum):
        default = default.value
    if parameter.required:
        return text if parameter.is_argument else f"{text} Required."
    is_shown = isinstance(default, int | float | str | Path) and not isinstance(default, bool)
    return f"{text} Default: `{default}`." if is_shown else text


def main() -> None:
    """Print the page, or write it where the documentation has it."""
    from binvision.cli.app import app

    page = render(app)
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page, encoding="utf-8")
    else:
        print(page, end="")


if __name__ == "__main__":
    main()
