"""WebDataset: tar archives in which files of one stem are a sample, such as 0001.jpg and 0001.cls.

Archives are read where they lie: nothing is extracted, nothing decoded but images and labels, and no pickle is opened.
"""

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import first_line, plain
from promptatlas.tasks.readers.assemble import Part
from promptatlas.tasks.readers.files import EXTENSIONS, File, entries, folders, opened, stamp
from promptatlas.tasks.readers.formats.given import GivenData
from promptatlas.tasks.readers.formats.splits import require_all_shards, without_number
from promptatlas.tasks.readers.inside import ABSOLUTE
from promptatlas.tasks.readers.marks import are_marks, number_notes, of_values
from promptatlas.tasks.readers.names import natural

FORM = "tar archives such as train-000000.tar, or train/000000.tar, whose files are called 0001.jpg and 0001.cls"
ENDINGS = (".tar", ".txt")
KEYS = ("label",)
PLAIN = ".tar"
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
LABELS = ("cls", "json", "npy")
IN_JSON = ("label", "labels", "class", "classes", "cls")
NAMES = ("classnames.txt", "classes.txt")
LONGEST_LABEL = 1 << 20


class Member(NamedTuple):
    """An image inside an archive: which archive, the byte that it begins at, bytes, and its name there."""

    archive: int
    start: int
    size: int
    name: str


class TarImages:
    """Images inside archives below `root`, read from their place."""

    def __init__(self, root: Path, archives: Sequence[str], members: Sequence[Member]) -> None:
        self.root, self.archives, self.members = str(root), list(archives), list(members)

    def __len__(self) -> int:
        return len(self.members)

    def content(self, index: int) -> BinaryIO:
        archive, start, size, _ = self.members[index]
        with open(os.path.join(self.root, self.archives[archive]), "rb") as file:
            file.seek(start)
            return io.BytesIO(file.read(size))

    def open(self, index: int) -> Image.Image:
        return opened(self.content(index))

    def name(self, index: int) -> str:
        member = self.members[index]
        return f"{os.path.join(self.root, self.archives[member.archive])}: {member.name}"


def recognised(path: Path) -> bool:
    if path.is_file():
        return path.name.lower().endswith(PLAIN)
    inner = [path / name for name in folders(path)]
    there = [_archives(place) for place in (path, *inner)]
    return all(there[1:]) and not any(map(folders, inner)) and any(file.name.lower().endswith(PLAIN) for files in there for file in files)


def groups(place: GivenData) -> Mapping[str, list[Path]]:
    """Archives by the folder that they are in, or by the word for a split in their names."""
    if place.path.is_file():
        return {place.path.stem: [place.path]}
    found = {name: files for name in folders(place.path) if (files := _archives(place.path / name))}
    for file in _archives(place.path):
        found.setdefault(_group(file.name), []).append(file)
    if not found:
        raise UserError(f"{place.path} has no archives of WebDataset; it needs {FORM}")
    return found


def parts(place: GivenData, groups: Mapping[str, list[Path]]) -> tuple[dict[str, Part], Sequence[str]]:
    """The images with the labels of their samples; names of numbers are the lines of classnames.txt beside the archives.

    UserError names archive and member.
    """
    root = place.path.parent if place.path.is_file() else place.path
    given = _given_names(root)
    listed: dict[str, tuple[list[Member], list[Any]]] = {}
    for group, files in groups.items():
        require_all_shards(files if place.path.is_dir() else ())
        members: list[Member] = []
        labels: list[Any] = []
        for number, file in enumerate(files):
            for key, image, label in _samples(file, place.label):
                members.append(Member(number, *image))
                labels.append(_label(label, file, key, place.label))
        listed[group] = members, labels
    marks = are_marks(((labels, len(given)) for _, labels in listed.values()), str(root))
    found: dict[str, Part] = {}
    for group, (members, labels) in listed.items():
        archives = [os.path.relpath(file, root) for file in groups[group]]
        images = TarImages(root, archives, members)
        numbers, called = of_values(labels, given, f"{root} {group}", marks, images.name)
        status = [(path, os.stat(root / path)) for path in archives]
        mark = stamp(File(path, one.st_size, one.st_mtime_ns) for path, one in status)
        rows = hashlib.sha256(repr([member[:3] for member in members]).encode()).hexdigest()
        found[group] = Part(images, numbers, called, f"{mark} {rows}")
    return found, number_notes((part.names for part in found.values()), f"in {NAMES[0]} beside the archives")


def beside(place: GivenData) -> list[Path]:
    """The file with the names of the classes."""
    return _names_beside(place.path.parent)


def _archives(folder: Path) -> list[Path]:
    names = [entry.name for entry in entries(folder) if not entry.is_dir() and entry.name.lower().endswith((PLAIN, *PACKED))]
    return [folder / name for name in sorted(names, key=natural)]


def _group(name: str) -> str:
    """`birds-train` for birds-train-000001.tar."""
    ending = next(ending for ending in (*PACKED, PLAIN) if name.lower().endswith(ending))
    return without_number(name[: -len(ending)]) or "all"


def _names_beside(folder: Path) -> list[Path]:
    """Files that may hold names of classes; the first counts."""
    return [folder / name for name in NAMES if (folder / name).is_file()]


def _given_names(root: Path) -> tuple[str, ...]:
    return next(map(text_files.lines, _names_beside(root)), ())


class Sample(NamedTuple):
    key: str
    image: tuple[int, int, str]
    label: tuple[str, bytes]


def _samples(file: Path, wanted: str) -> Iterator[Sample]:
    """Of each sample its stem, where its image is, and ending and content of its label."""
    if file.name.lower().endswith(PACKED):
        raise UserError(f"{file} is compressed, so single images cannot be read from it; unpack it to a plain .tar")
    key, image, label = "", None, None
    try:
        with tarfile.open(file, "r:") as archive:
            length = file.stat().st_size
            for member in archive:
                if member.isdir():
                    continue
                stem, ending = _checked(member, file, length)
                if stem != key:
                    if key:
                        yield _whole(file, key, image, label)
                    key, image, label = stem, None, None
                if f".{ending}".endswith(EXTENSIONS):
                    if image:
                        raise UserError(f"{file}: sample {plain(key)} has two images; give each a stem of its own")
                    image = (member.offset_data, member.size, member.name)
                elif ending == wanted or (not wanted and ending in LABELS[: LABELS.index(label[0]) if label else None]):
                    if member.size > LONGEST_LABEL:
                        raise UserError(
                            f"{file}: {plain(member.name)} has {member.size:,} bytes, which is no label; say in `label` which is"
                        )
                    content = archive.extractfile(member)  # an object that reads, of a plain file; nothing is written
                    label = (ending, content.read() if content else b"")
            if key:
                yield _whole(file, key, image, label)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(f"{file} is no tar archive that can be read ({first_line(error)}); fetch or make it anew") from None


def _checked(member: tarfile.TarInfo, file: Path, length: int) -> tuple[str, str]:
    """Stem and ending of a member, which must be a plain file inside of the archive with a name inside of it."""
    name = member.name
    if ABSOLUTE.match(name) or ".." in name.replace("\\", "/").split("/"):
        raise UserError(f"{file} has the member {plain(name)}, a path that leads out of it; make the archive anew with paths inside it")
    if not member.isreg() or member.issparse():
        raise UserError(
            f"{file} has the member {plain(name)}, which is a link or no plain file; make the archive anew with the file itself"
        )
    if member.offset_data + member.size > length:
        raise UserError(f"{file} ends inside of {plain(name)}; fetch or make it anew")
    folder, _, base = name.rpartition("/")
    stem, _, ending = base.partition(".")
    return f"{folder}/{stem}" if folder else stem, ending.lower()


def _whole(file: Path, key: str, image: tuple[int, int, str] | None, label: tuple[str, bytes] | None) -> Sample:
    if image is None:
        raise UserError(f"{file}: sample {plain(key)} has no image; the files of a sample {FORM.partition('whose files ')[2]}")
    if label is None:
        raise UserError(
            f"{file}: sample {plain(key)} has no label (.{', .'.join(LABELS)}); add it, say in `label` which ending has it, or unpack "
            "an archive of class folders"
        )
    return Sample(key, image, label)


def _label(label: tuple[str, bytes], file: Path, key: str, wanted: str) -> Any:
    """A whole number, a text, or a list of one of these."""
    ending, content = label
    where = f"{file}: label .{ending} of sample {plain(key)}"
    try:
        if ending == "npy":
            return _array(content).tolist()
        text = content.decode().strip()
        if ending != "json":
            found: Any = int(text) if re.fullmatch(r"-?\d{1,18}", text) else text
        else:
            found = json.loads(text)
            if isinstance(found, dict):
                found = next((found[one] for one in IN_JSON if one in found), None)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} cannot be read ({first_line(error)}); mend it") from None
    if found is None or found == "":
        keys = f" under {', '.join(IN_JSON[:-1])} or {IN_JSON[-1]}" if ending == "json" else ""
        raise UserError(f"{where} says nothing{keys}; mend it, or say in `label` which ending has the label")
    return found


def _array(content: bytes) -> np.ndarray:
    """ValueError for what is no array."""
    if not content.startswith(np.lib.format.MAGIC_PREFIX):
        raise ValueError("it is no single array of NumPy")
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # the head of such a file is Python, whose parser raises many kinds
        raise ValueError(first_line(error)) from None
