"""Things that are known by name, also those that code from outside the package adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown, suggest

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Plugin:
    """Code from outside the package: how it is named, its file, and the SHA-256 of what is in it."""

    name: str
    path: Path
    sha256: str


_origins: list[Plugin] = []


def current() -> Plugin | None:
    """Where what is registered now comes from; None if it is the library's own or a program registers it itself."""
    return _origins[-1] if _origins else None


@contextmanager
def adding(origin: Plugin) -> Iterator[None]:
    """What is registered meanwhile, in any registry, comes from `origin`; all or, if an error ends it, nothing."""
    _origins.append(origin)
    try:
        yield
    except BaseException:
        forget(origin)
        raise
    finally:
        _origins.pop()


def require_column(what: str, name: str) -> None:
    """UserError for a name that no column of a table could have."""
    if not name.isidentifier():
        raise UserError(f"{what} {shown(name)}: a name has letters, digits and _ only, as names in tables have")


def forget(origin: Plugin) -> None:
    """Nothing that came from `origin` is known any more."""
    for registry in Registry.every:
        for name in [name for name in registry if registry.origin(name) == origin]:
            registry.remove(name)


class Registry(Mapping[str, Entry]):
    """Entries by name, in the order in which they came. what: what an entry is, in a word."""

    every: ClassVar[list[Registry[Any]]] = []

    def __init__(self, what: str) -> None:
        self.what = what
        self._entries: dict[str, Entry] = {}
        self._from: dict[str, Plugin | None] = {}
        self._own: frozenset[str] = frozenset()
        self.every.append(self)

    def seal(self) -> None:
        """What is known by now is the library's own, and nobody replaces it."""
        self._own = frozenset(self._entries)

    def add(self, name: str, entry: Entry) -> None:
        """UserError if the name is taken. What a program itself registered may be registered again."""
        now, before = current(), self._from.get(name)
        if name in self._own or before:
            of = f" of {before.name}" if before else ""
            raise UserError(f"there is a {self.what} `{name}`{of} already; choose another name")
        self._entries[name], self._from[name] = entry, now

    def lookup(self, name: object) -> Entry:
        """The entry called `name`. UserError with the nearest name if there is none."""
        if name not in self._entries:
            raise UserError(f"{self.what} {shown(name)} is unknown; {suggest(name, self)}")
        return self._entries[str(name)]

    def remove(self, name: str) -> None:
        del self._entries[name], self._from[name]

    def origin(self, name: str) -> Plugin | None:
        """Where an entry came from; None for the library's own and for what a program registered itself."""
        return self._from[name]

    def code(self) -> dict[str, str]:
        """By name the SHA-256 of the code that entries from outside come from."""
        return {name: origin.sha256 for name, origin in self._from.items() if origin}

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
