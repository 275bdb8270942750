"""Whether code from outside can be called as it will be: told of what is loaded, and of a module of which only the source is read.

Reading runs nothing, so that a module which imports torch costs nothing. What it cannot see, as names that code makes while it runs,
it says nothing of.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, suggest

DYNAMIC = {"__getattr__", "globals", "vars", "setattr", "exec", "eval", "locals"}  # with one of these a source does not tell its names


def require(what: str, function: Any, arguments: Sequence[str]) -> None:
    """UserError, beginning with `what`, unless `function` can be called with `arguments`, one after the other."""
    if not callable(function):
        raise UserError(f"{what} must be a function of ({', '.join(arguments)})")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # what is not written in Python does not say
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        raise UserError(f"{what} takes {signature}, but is called with ({', '.join(arguments)}); mend it") from None


class Source:
    """The names that a module in a file defines, as far as its text says."""

    def __init__(self, path: Path) -> None:
        """UserError if the file is no Python."""
        self.path = path
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError) as error:
            line = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
            raise UserError(f"{path} is no Python, because of {getattr(error, 'msg', error)}{line}; mend it") from None
        names = {node.id if isinstance(node, ast.Name) else getattr(node, "name", "") for node in ast.walk(tree)}
        self.tells = DYNAMIC.isdisjoint(names) and "*" not in names
        self.defined = dict(_defined(tree.body))

    def require(self, what: str, name: str) -> None:
        """UserError, beginning with `what`, if nothing at the top of the module is called so."""
        if self.tells and name not in self.defined:
            near = suggest(name, [one for one in self.defined if not one.startswith("_")], "define it there", mark="`")
            raise UserError(f"{what}: there is no `{plain(name)}` in {self.path}; {near}")

    def require_call(self, what: str, name: str, arguments: Sequence[str]) -> None:
        """UserError if the function of that name is there and cannot be called with `arguments`."""
        _require_call(f"{what}: `{name}` in {self.path}", self.defined.get(name), arguments)

    def require_methods(self, what: str, name: str, called: Callable[[str], Sequence[str] | None]) -> None:
        """The same of the methods that a class has of its own; called: by their names what each is given after `self`."""
        node = self.defined.get(name)
        for own, method in _defined(node.body) if isinstance(node, ast.ClassDef) else ():
            if (arguments := called(own)) is not None:
                _require_call(f"{what}: `{own}` of `{name}` in {self.path}", method, arguments, bound=True)


def _require_call(what: str, node: ast.AST | None, arguments: Sequence[str], bound: bool = False) -> None:
    if isinstance(node, ast.FunctionDef) and not node.decorator_list:  # a decorator may make any other function of it
        signature = _signature(node.args)
        require(f"{what} (line {node.lineno})", _like(signature.replace(parameters=[*signature.parameters.values()][bound:])), arguments)


def _like(signature: inspect.Signature) -> Callable[..., None]:
    def function(*_: Any, **__: Any) -> None: ...

    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _signature(given: ast.arguments) -> inspect.Signature:
    """That of a function, without types, each default None."""
    kind, positional = inspect.Parameter, [*given.posonlyargs, *given.args]
    usual = [kind.empty] * (len(positional) - len(given.defaults)) + [None] * len(given.defaults)
    found = [
        kind(one.arg, kind.POSITIONAL_ONLY if one in given.posonlyargs else kind.POSITIONAL_OR_KEYWORD, default=default)
        for one, default in zip(positional, usual, strict=True)
    ]
    found += [kind(given.vararg.arg, kind.VAR_POSITIONAL)] if given.vararg else []
    keywords = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    found += [kind(one.arg, kind.KEYWORD_ONLY, default=kind.empty if default is None else None) for one, default in keywords]
    return inspect.Signature(found + ([kind(given.kwarg.arg, kind.VAR_KEYWORD)] if given.kwarg else []))


def _defined(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """The names that statements bind, also within an `if` or a `try`, each with the statement."""
    for statement in body:
        definition = isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        for node in [statement] if definition else ast.walk(statement):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield node.name, statement
            elif isinstance(node, ast.alias):
                yield node.asname or node.name.partition(".")[0], statement
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, statement
