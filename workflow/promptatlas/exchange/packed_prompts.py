"""The prompt files and records of an archive that `promptatlas pack` wrote, or somebody else who says so: nothing in it is trusted.

Names in it are never paths here: prompt files go to a folder of the caller under numbers, records stay in memory. What is no plain
file is passed over, and what is larger than any study's is refused before it is read.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.files import replace
from promptatlas.base.messages import plain
from promptatlas.exchange import atlas, image_hashes, summaries
from promptatlas.exchange.summaries import Summary

PROMPT = re.compile(r"([^/]+)/((?:prompts|multitask)/[^\0]+\.safetensors)")
RECORD = re.compile(r"([^/]+)/((?:atlas|config|summary)\.json|(?:features|image_hashes)\.safetensors|tables/(?:choice|transfer)\.csv)")
MOST_FILES = 200_000
MOST_BYTES = 64 * 2**30  # of the whole archive, unpacked
MOST_OF_ONE = 256 * 2**20  # of one file that is read
NO_ARCHIVE = "is no archive that `promptatlas pack` wrote"
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError)


@dataclass
class PackedPrompts:
    """study: what the archive calls itself; prompts: by name in the archive the file that it was written to; records: by name; backbone:
    what the record of an atlas says of the frozen model; features: summaries of its tasks' features; image_hashes: (N, 16) of the images
    that the prompts of a task may have been trained on; otherwise: by name why a prompt, or these, are not what that record lists.
    """

    study: str = ""
    prompts: dict[str, Path] = field(default_factory=dict)
    records: dict[str, bytes] = field(default_factory=dict)
    backbone: dict[str, Any] = field(default_factory=dict)
    features: dict[str, Summary] = field(default_factory=dict)
    image_hashes: dict[str, np.ndarray] = field(default_factory=dict)
    otherwise: dict[str, str] = field(default_factory=dict)


def read(path: Path, folder: Path) -> PackedPrompts:
    """Write the prompt files of the archive to `folder`, as 0.safetensors, 1.safetensors, ... UserError for what is no such archive."""
    found = PackedPrompts()
    try:
        with gzip.open(path) as unzipped, tarfile.open(fileobj=_Bounded(unzipped, path), mode="r:") as archive:
            for number, member in enumerate(archive):
                if number >= MOST_FILES:
                    raise UserError(f"{path} lists more than {MOST_FILES:,} files, which no study has; fetch it again")
                if member.isreg():
                    _keep(archive, member, path, folder, found)
    except _DAMAGE as error:
        raise UserError(f"{path} {NO_ARCHIVE} ({plain(error)}); fetch it again, or give a folder") from None
    if not found.prompts:
        raise UserError(f"{path} {NO_ARCHIVE}: no prompt file is in it; give that of a study with prompts")
    if atlas.NAME in found.records:
        _compare(atlas.read(found.records[atlas.NAME], path), found)
    if features := found.records.pop(summaries.NAME, None):
        found.features = summaries.read(features, path)
    if hashes := found.records.pop(image_hashes.NAME, None):
        found.image_hashes = image_hashes.read(hashes, path)
    return found


def _compare(told: Mapping[str, Any], found: PackedPrompts) -> None:
    """Take out what is not as the record of an atlas has it."""
    found.backbone = told["backbone"]
    for name in {*told["prompts"], *found.prompts}:
        if name not in found.prompts:
            found.otherwise[plain(name)] = f"listed in {atlas.NAME}, but not in the archive"
        elif told["prompts"].get(name) != hashlib.sha256(found.prompts[name].read_bytes()).hexdigest():
            found.otherwise[plain(name)] = f"not the file that {atlas.NAME} lists"
            del found.prompts[name]
    for key, name in atlas.BESIDE.items():
        listed = told.get(key)
        wanted = listed.get(name) if isinstance(listed, dict) else None
        if name in found.records and wanted != hashlib.sha256(found.records[name]).hexdigest():
            del found.records[name]
            found.otherwise[name] = f"not the file that {atlas.NAME} lists"


def _keep(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, folder: Path, found: PackedPrompts) -> None:
    named = PROMPT.fullmatch(member.name) or RECORD.fullmatch(member.name)
    if not named:
        return
    if member.size > MOST_OF_ONE:
        raise UserError(f"{path}: {plain(member.name)} has {member.size:,} bytes, more than any prompt or record; fetch it again")
    file = archive.extractfile(member)
    assert file is not None, "plain files have contents"
    content, study, name = file.read(), *named.groups()
    if found.study and study != found.study:
        raise UserError(f"{path} holds two studies, {plain(found.study)} and {plain(study)}; an archive has one")
    found.study = study
    if PROMPT.fullmatch(member.name):
        found.prompts[name] = folder / f"{len(found.prompts)}.safetensors"
        replace(found.prompts[name], content)
    else:
        found.records[name] = content


class _Bounded(io.RawIOBase):
    """A stream of which no more is read than an archive of a study has, at once or in all."""

    def __init__(self, stream: gzip.GzipFile, path: Path) -> None:
        self.stream, self.path = stream, path

    def read(self, size: int = -1) -> bytes:
        self._require(0 <= size <= MOST_OF_ONE)
        return self.stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._require(whence == io.SEEK_SET and offset <= MOST_BYTES)
        return self.stream.seek(offset)

    def tell(self) -> int:
        return self.stream.tell()

    def _require(self, holds: bool) -> None:
        if not holds:
            raise UserError(f"{self.path} unpacks to more than {MOST_BYTES // 2**30} GiB, or one file to too much; fetch it again")
