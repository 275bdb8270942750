"""From images of any size to one array at the model's resolution: in parallel, resumable, the same for any number of workers.

Every worker writes its images to their places in one file and marks them as done; a later attempt goes on from the
marks. The file is written, not mapped, so that memory stays flat.
"""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from promptatlas.base.errors import UserError
from promptatlas.base.files import whole
from promptatlas.base.messages import first_line
from promptatlas.tasks.listing import Images
from promptatlas.tasks.prepared import DIGEST_BYTES, digest
from promptatlas.tasks.splits import file_of
from promptatlas.tasks.upright import upright

RESIZES = ("crop", "squash")
_SMOOTH = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
CHUNK = 64
FEW_CHUNKS = 4
WAITING, DONE, BROKEN = 0, 1, 2


def fitted(image: Image.Image, size: int, resize: str, interpolation: str = "bicubic") -> np.ndarray:
    """RGB values (size, size, 3) uint8 of the image made upright: `crop` scales the short side to `size` and cuts out the
    centre (CLIP's own preprocessing), `squash` scales both sides (MVLPT on the ELEVATER tasks). interpolation: "bicubic", as in
    the papers' pipelines, or "bilinear".
    """
    image, smooth = upright(image), _SMOOTH[interpolation]
    width, height = image.size
    if resize == "squash":
        return np.asarray(image.resize((size, size), smooth))
    short = min(width, height)
    width, height = size * width // short, size * height // short
    left, top = round((width - size) / 2), round((height - size) / 2)
    scaled = image.resize((width, height), smooth)
    return np.asarray(scaled.crop((left, top, left + size, top + size)))


@dataclass(frozen=True)
class Decoding:
    """Where the array of some images is built: `rows` of `sources`, at `size`, under `stem` in `folder`."""

    sources: Images
    rows: np.ndarray
    size: int
    resize: str
    folder: Path
    stem: str
    interpolation: str = "bicubic"

    @property
    def images(self) -> Path:
        return self.folder / f"{self.stem}.images.npy"

    @property
    def digests(self) -> Path:
        return self.folder / f"{self.stem}.digests.npy"

    @property
    def state(self) -> Path:
        return self.folder / f"{self.stem}.state.npy"

    def bytes(self) -> int:
        """Disk that the array takes."""
        return len(self.rows) * self.size**2 * 3


@dataclass(frozen=True)
class Opened:
    """Images that were asked for, of all splits of a task, whether they could be read or not."""

    works: tuple[Decoding, ...]

    @property
    def names(self) -> set[str]:
        """What they are called: the paths of those that are files."""
        return {work.sources.name(row) for work in self.works for row in work.rows.tolist()}

    def files(self) -> Iterator[str | BinaryIO]:
        """The file of each; of those inside of other files what they hold, which is read as it is asked for."""
        for work in self.works:
            for row in work.rows.tolist():
                with suppress(OSError):  # of a row without an image, which decoding tells
                    yield file_of(work.sources, row)


@dataclass(frozen=True)
class Decoded:
    """digests (N, 16) of all rows; broken: positions among the rows of images that cannot be read, with the reason."""

    digests: np.ndarray
    broken: dict[int, str]


def decode(work: Decoding, workers: int, tell: Callable[[int, int], None]) -> Decoded:
    """Fill the arrays of `work` with up to `workers` processes; `tell(done, total)` is called after every chunk.

    What an interrupted attempt has finished is kept after its digests have been checked.
    """
    if not len(work.rows):
        work.folder.mkdir(parents=True, exist_ok=True)
        np.save(work.images, np.empty((0, work.size, work.size, 3), np.uint8))
        return Decoded(np.empty((0, DIGEST_BYTES), np.uint8), {})
    state = _prepare(work)
    waiting = np.flatnonzero(state != DONE)
    chunks = [waiting[start : start + CHUNK] for start in range(0, len(waiting), CHUNK)]
    broken: dict[int, str] = {}
    done = len(state) - len(waiting)
    tell(done, len(state))
    for chunk, found in zip(chunks, _results(work, chunks, workers), strict=True):
        broken |= found
        done += len(chunk)
        tell(done, len(state))
    return Decoded(np.array(np.load(work.digests, mmap_mode="r")), broken)


def _results(work: Decoding, chunks: list[np.ndarray], workers: int) -> Iterator[dict[int, str]]:
    if workers == 1 or len(chunks) <= FEW_CHUNKS:  # starting a process takes as long as hundreds of images
        job = _Job(work)
        yield from map(job, chunks)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(chunks)), context, _begin, (work,)) as pool:
        try:
            yield from pool.map(_step, chunks)
        except BrokenProcessPool:
            raise UserError(
                f"a process that decodes {work.stem} ended without a word (out of memory, or a file that crashes the "
                "decoder); run again to go on, with --cores 1 to see where"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _prepare(work: Decoding) -> np.ndarray:
    """The state (N,) of every row; arrays of an earlier attempt are taken over as far as they hold what they should."""
    work.folder.mkdir(parents=True, exist_ok=True)
    count = len(work.rows)
    if not all(path.exists() for path in (work.state, work.images, work.digests)):
        for path, shape in (
            (work.images, (count, work.size, work.size, 3)),
            (work.digests, (count, DIGEST_BYTES)),
            (work.state, (count,)),
        ):
            with whole(path) as temporary:
                np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape).flush()
    job = _Job(work)
    for row in np.flatnonzero(job.state == DONE).tolist():
        if (digest(job.written(row)) != job.digests[row]).any():
            job.state[row] = WAITING
    return np.array(job.state)


class _Job:
    """One worker's view of the arrays."""

    def __init__(self, work: Decoding) -> None:
        self.work = work
        self.digests, self.state = (np.load(path, mmap_mode="r+") for path in (work.digests, work.state))
        self.start = np.load(work.images, mmap_mode="r").offset
        self.file = work.images.open("r+b", buffering=0)
        self.length = work.size**2 * 3

    def written(self, row: int) -> np.ndarray:
        """The values that the file holds at `row`."""
        return np.frombuffer(os.pread(self.file.fileno(), self.length, self.start + row * self.length), dtype=np.uint8)

    def __call__(self, chunk: np.ndarray) -> dict[int, str]:
        """Decode the images of `chunk`; returns those that are broken, with the reason."""
        broken = {}
        for row in chunk.tolist():
            try:
                opened = self.work.sources.open(int(self.work.rows[row]))
                image = np.ascontiguousarray(fitted(opened, self.work.size, self.work.resize, self.work.interpolation))
            except Exception as error:  # Pillow raises many kinds; each is an image that cannot be read
                broken[row] = first_line(error)
                self.state[row] = BROKEN
                continue
            os.pwrite(self.file.fileno(), image.data, self.start + row * self.length)
            self.digests[row] = digest(image)
            self.state[row] = DONE
        return broken


_job: _Job | None = None


def _begin(work: Decoding) -> None:
    global _job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the one that waits for these ends them
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _job = _Job(work)


def _step(chunk: np.ndarray) -> dict[int, str]:
    assert _job is not None, "_begin comes first"
    return _job(chunk)
