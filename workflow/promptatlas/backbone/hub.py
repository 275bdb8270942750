"""Models on the Hugging Face hub by their names there: which of their files are in the hub's cache on this machine, and how others get
there. Knows nothing of what is in them.

The hub's library, which takes a moment to import, is asked only when a model is on the hub. A file that is in the cache is taken from
there, and all files of a model are of one commit.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from promptatlas.backbone import several_files
from promptatlas.backbone.several_files import INDEX
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line, plain

HUB = "hf-hub:"
_HOST = "huggingface.co"
_OTHER_WAYS = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "HF_ENDPOINT")
_NAME = r"([\w.-]+/[\w.-]+)(?:@([\w.-]+))?"
_SECONDS = 10  # that a hub which does not answer is waited for


@contextmanager
def network(allowed: bool) -> Iterator[None]:
    """Where it is not allowed, nothing is asked of the hub; what is in its cache is found all the same. The library itself reads
    HF_HUB_OFFLINE only once, when it is imported."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not allowed
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def forbidden() -> str:
    """Why nothing may be asked of the hub; empty if it may."""
    from huggingface_hub import constants

    return "nothing may be downloaded" if constants.HF_HUB_OFFLINE else ""


def unreachable() -> str:
    """Why the hub cannot be reached from here; empty if it can, or if a proxy may know. The hub's library takes half a minute to tell."""
    if any(os.environ.get(name) for name in _OTHER_WAYS):
        return ""
    try:
        socket.create_connection((_HOST, 443), timeout=5).close()
    except OSError as error:
        return f"{_HOST} cannot be reached from here ({error})"
    return ""


@dataclass(frozen=True)
class Repository:
    """name: `owner/name`; revision: a branch, a tag or a commit."""

    name: str
    revision: str = "main"

    @staticmethod
    def of(text: str) -> Repository:
        """Of `owner/name` or `owner/name@revision`. Raises UserError."""
        if not (found := re.fullmatch(_NAME, text)):
            raise UserError(f"backbone: {plain(HUB + text)} is no name on the hub; write {HUB}<owner>/<name>, also with @<revision>.")
        return Repository(found[1], found[2] or "main")

    def cached(self, names: Iterable[str]) -> Path | None:
        """The first of the files that is in the cache."""
        from huggingface_hub import try_to_load_from_cache

        every = (try_to_load_from_cache(self.name, name, revision=self.revision) for name in names)
        return next((Path(path) for path in every if isinstance(path, str)), None)

    def brought(self, names: Iterable[str]) -> Path | None:
        """The first of the files that there is, from the cache or from the hub; None where the hub has none. Raises UserError."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        if path := self.cached(names):
            return path
        if reason := forbidden() or unreachable():
            raise self.away(names, reason)
        for name in names:
            try:
                return Path(hf_hub_download(self.name, name, revision=self.revision, etag_timeout=_SECONDS))
            except Exception as error:  # the hub's library raises many kinds; each needs the same remedy
                if not isinstance(error, EntryNotFoundError) or isinstance(error, LocalEntryNotFoundError):
                    raise self.away(names, one_line(error)) from error
        return None

    def tried(self, names: Iterable[str]) -> Path | None:
        """As `brought`, and None too where the hub cannot be asked. What it is known not to have is not asked for again."""
        from huggingface_hub import try_to_load_from_cache

        every = list(names)
        unknown = [name for name in every if try_to_load_from_cache(self.name, name, revision=self.revision) is None]
        if unknown and not self.cached(every):
            with suppress(UserError):
                return self.brought(unknown)
        return self.cached(every)

    def away(self, names: Iterable[str], reason: str) -> UserError:
        """That none of the files is here."""
        from huggingface_hub.constants import HF_HUB_CACHE

        cached = Path(HF_HUB_CACHE) / f"models--{self.name.replace('/', '--')}"
        return UserError(
            f"backbone: {' or '.join(names)} of {self.name!r} on the hub is not here and cannot be fetched ({reason}); on a machine with a "
            f"network run `hf download {self.name}`, and bring the hub's cache of it to {cached}, or all its files to a folder and write "
            "`backbone: {model: local-dir:<folder>}`."
        )


@dataclass(frozen=True)
class Held:
    """Weights on the hub: the first of `names` that the repository has."""

    repository: Repository
    names: tuple[str, ...]

    @property
    def commit(self) -> str:
        """Which commit they are of; empty where neither the name nor the cache tells."""
        if re.fullmatch(r"[0-9a-f]{40}", self.repository.revision):
            return self.repository.revision
        path = self.repository.cached(self.names)
        above = [folder.name for folder in path.parents if folder.parent.name == "snapshots"] if path else []
        return above[0] if above else ""

    def fetched(self) -> Path:
        """The file in the cache, downloaded if it is not there yet. Raises UserError."""
        indexes = [name + INDEX for name in self.names]
        path = self.repository.cached(self.names)
        if path is None and not self.repository.cached(indexes):
            path = self.repository.brought(self.names)
        if path:
            return path
        if self.repository.brought(indexes):
            raise several_files.refused(f"of {self.repository.name!r} on the hub")
        raise UserError(
            f"backbone: {self.repository.name!r} on the hub has no weights ({', '.join(self.names)}); name their file as "
            f"`pretrained: {HUB}{self.repository.name}/<file>`, with the `model` that they are of."
        )
