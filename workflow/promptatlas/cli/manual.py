"""The command line in Markdown: what docs/command-line.md holds, and `python -m promptatlas.cli.manual` prints. Made from the parser.

Knows nothing of what commands do.
"""

import argparse
import re
from collections.abc import Iterator

from promptatlas.cli.command import parser
from promptatlas.cli.examples import EXAMPLES

HEAD = """\
# Command line

Written by `make docs` from the program itself. `promptatlas COMMAND --help` prints the same. Studies are run by `snakemake`
([tutorial](tutorial.md), [run again](rerun.md)).
"""


def page() -> str:
    """The whole page: a section per command, in the order of `promptatlas --help`."""
    lines = [HEAD]
    for name, words, command in commands():
        lines += [f"## {name}", "", f"`{_usage(command)}`", "", f"{_sentence(words)}", ""]
        lines += ["| | |", "|---|---|", *map(_row, _shown(command)), ""]
        lines += [f"{_sentence(command.epilog)}", ""] if command.epilog else []
        lines += ["```sh", *EXAMPLES[name], "```", ""]
    return "\n".join(lines)


def commands() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Name, what it does, and parser of each command."""
    (several,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    words = {choice.dest: choice.help or "" for choice in several._choices_actions}
    for name, command in several.choices.items():
        yield name, words[name], command


def _shown(command: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in command._actions if action.dest != "help"]


def _usage(command: argparse.ArgumentParser) -> str:
    """What has to be typed; `[...]` for what may be."""
    needed = [_named(action) for action in _shown(command) if action.required]
    more = any(not action.required for action in _shown(command))
    return " ".join([command.prog, *needed, *(["[...]"] if more else [])])


def _row(action: argparse.Action) -> str:
    names = [_named(action)] if not action.option_strings else [_named(action), *action.option_strings[:-1]]
    need = "needed; " if action.required and action.option_strings else ""
    return f"| {', '.join(f'`{name}`' for name in names)} | {need}{_cell(action.help or '')} |"


def _named(action: argparse.Action) -> str:
    """`--seed SEED`, `studies ...`, `--resize crop or squash`."""
    value = "" if action.nargs == 0 else action.metavar or " or ".join(map(str, action.choices or ())) or action.dest.upper()
    assert isinstance(value, str)
    several = " ..." if action.nargs == "+" else ""
    if not action.option_strings:
        return f"{action.metavar or action.dest}{several}"
    return f"{action.option_strings[-1]} {value.replace('|', ' or ')}{several}".rstrip()


def _cell(text: str) -> str:
    return _linked(" ".join(text.replace("%%", "%").split())).replace("|", "\\|")


def _sentence(text: str) -> str:
    return _linked(f"{text[:1].upper()}{text[1:]}".replace("%%", "%").rstrip(".") + ".")


def _linked(text: str) -> str:
    """Pages beside this one as links."""
    return re.sub(r"docs/([\w-]+\.md)", r"[\1](\1)", text, flags=re.IGNORECASE)


if __name__ == "__main__":
    print(page(), end="")
