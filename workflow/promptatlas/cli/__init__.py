"""The `promptatlas` command."""

from promptatlas.cli.command import main

__all__ = ["main"]
