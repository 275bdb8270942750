"""The command `models`: which published models take which prompts."""

import argparse
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown


def add(commands: Any) -> None:
    """Add it to the parser's commands."""
    command = commands.add_parser(
        "models", help="list every published model: whether it takes text prompts, visual prompts, or none and why",
        epilog="docs/models.md has the whole list",
    )  # fmt: skip
    command.add_argument("part", nargs="?", default="", help="only models with this in their name, such as SigLIP (default: all)")
    command.add_argument("--csv", action="store_true", help="as a CSV table, for machines")
    command.set_defaults(run=_models)


def _models(options: argparse.Namespace) -> int:
    from promptatlas.backbone import served

    rows = served.every(options.part)
    if not rows:
        raise UserError(f"open_clip publishes no weights of a model with {shown(options.part)} in its name; see `promptatlas models`")
    print(served.table(rows) if options.csv else "\n".join(served.lines(rows)) + "\n", end="")
    return 0
