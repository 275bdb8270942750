"""The command `completion`: a script that has a shell complete commands, options and files, made from the parser itself."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHELLS = ("bash", "zsh", "fish")


def add(commands: Any, whole: argparse.ArgumentParser) -> None:
    """Add it to the parser's commands; whole: the parser of all."""
    command = commands.add_parser(
        "completion", help="print a script with which a shell completes commands, options and files",
        epilog="a new shell, or one that reads the script, completes with the Tab key",
    )  # fmt: skip
    command.add_argument("shell", choices=SHELLS, help="the shell that is to complete")
    command.set_defaults(run=lambda options: _completion(whole, options.shell))


def script(whole: argparse.ArgumentParser, shell: str) -> str:
    """What the shell has to read."""
    import shtab

    for action in _actions(whole):
        if action.type is Path or action.dest in ("images", "matrix", "similarity"):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    text = str(shtab.complete(whole, shell))
    # What may be given several times is said as zsh says it: shtab's `(*)` is a single argument there.
    return re.sub(r'^( *")\(\*\)::?', r"\1*:", text, flags=re.MULTILINE) if shell == "zsh" else text


def _completion(whole: argparse.ArgumentParser, shell: str) -> int:
    print(script(whole, shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Of the parser and of all its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
