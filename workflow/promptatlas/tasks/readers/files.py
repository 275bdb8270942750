"""Images that are files: opened one by one, found in a tree of folders, stamped."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, UnidentifiedImageError

from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, plain, some
from promptatlas.tasks import upright
from promptatlas.tasks.readers.names import natural
from promptatlas.tasks.seen import is_hidden

EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif",
)  # fmt: skip
FEW = 3
POINTER = b"version https://git-lfs"


class File(NamedTuple):
    """A file below some root: relative path, size in bytes, time of last change in ns."""

    path: str
    size: int
    changed: int


class Files:
    """Image files: paths relative to `root`."""

    def __init__(self, root: str | Path, paths: Sequence[str]) -> None:
        self.root = str(root)
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def open(self, index: int) -> Image.Image:
        return opened(self.name(index))

    def name(self, index: int) -> str:
        return os.path.join(self.root, self.paths[index])


def opened(file: str | Path | BinaryIO) -> Image.Image:
    """The decoded image in a file, or in what one holds. Raises OSError or another error of Pillow if it is broken or none."""
    try:
        with upright.opened(file) as image:
            upright.load(image)
    except UnidentifiedImageError:
        raise OSError(_instead(file)) from None
    return image


def _instead(file: str | Path | BinaryIO) -> str:
    """What a file is that is no image."""
    if isinstance(file, str | Path):
        with open(file, "rb") as content:
            return _instead(content)
    file.seek(0)
    start = file.read(len(POINTER))
    if start == POINTER:
        return "a pointer of Git LFS in the image's place, run `git lfs pull`"
    return "of no kind of image that can be read" if start else "the file is empty"


def stamp(files: Iterable[File]) -> str:
    """SHA-256 over paths, sizes and times of change."""
    digest = hashlib.sha256()
    for path, size, changed in files:
        digest.update(os.fsencode(path) + f"\0{size}\0{changed}\n".encode())
    return digest.hexdigest()


def is_name(path: str) -> bool:
    """Whether a file can be called so."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def stat(root: str | Path, paths: Iterable[str]) -> tuple[list[File], list[str]]:
    """The files at `paths` relative to `root`, and those of `paths` where no file is."""
    found, missing = [], []
    for path in paths:
        try:
            status = os.stat(os.path.join(root, path))
            found.append(File(path, status.st_size, status.st_mtime_ns))
        except (OSError, ValueError):  # of the second kind are names that no file can have
            missing.append(path)
    return found, missing


def require(missing: Sequence[str], who: str, root: str | Path, remedy: str) -> None:
    """UserError if images that `who` lists are not below `root`."""
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise UserError(
            f"{who} lists {counted(len(missing), 'image')} that {are} not in {root}: {some(map(plain, missing), FEW)}; {remedy}"
        )


def folders(path: Path) -> list[str]:
    """Names of the sub-folders of `path` in natural order; hidden ones do not count."""
    return sorted((entry.name for entry in entries(path) if entry.is_dir()), key=natural)


def images(path: Path, deep: bool = True) -> list[File]:
    """Image files below `path` in natural order, paths relative to it; hidden and other files do not count.

    Links are followed. Without `deep`, sub-folders are left out.
    """
    found: list[File] = []
    _collect(str(path), "", found, deep, frozenset())
    return sorted(found, key=lambda file: tuple(map(natural, file.path.split(os.sep))))


def _collect(folder: str, prefix: str, found: list[File], deep: bool, above: frozenset) -> None:
    status = os.stat(folder)
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise UserError(f"{folder} is a link to a folder that contains it; remove the link")
    for entry in entries(folder):
        if entry.is_dir():
            if deep:
                _collect(entry.path, f"{prefix}{entry.name}{os.sep}", found, deep, above | {here})
        elif entry.name.lower().endswith(EXTENSIONS):
            try:
                status = entry.stat()
            except FileNotFoundError:
                raise UserError(f"{entry.path} is a link to a file that is not there; mend or remove it") from None
            found.append(File(prefix + entry.name, status.st_size, status.st_mtime_ns))


def entries(folder: str | Path) -> list[os.DirEntry]:
    """What is in a folder but for hidden names. UserError if it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return [entry for entry in found if not is_hidden(entry.name)]
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error.strerror}); see that it is a readable folder") from None
