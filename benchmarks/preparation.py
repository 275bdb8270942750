"""Speed of image preparation against Pillow's own decoding and resizing: python benchmarks/preparation.py [--images 100000]

Writes JPEGs of 256 px and cuts them into rounds. Each round alternates on the same images, because the speed of a shared
machine drifts within seconds: Pillow alone in one process and in one per core, `decode` with one worker per core, Pillow
again. Prints images per second and the ratios to Pillow's single process times cores and to Pillow on all cores. At the end
all images are prepared in one go: what that does to the memory of a worker after a tenth and after all of them.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
from PIL import Image

from promptatlas.tasks.decoding import Decoding, decode
from promptatlas.tasks.upright import opened

SIZE = 224


@dataclass
class Files:
    """JPEG files by number."""

    folder: Path
    count: int

    def __len__(self) -> int:
        return self.count

    def path(self, index: int) -> Path:
        return self.folder / f"{index // 1000}" / f"{index}.jpg"

    def open(self, index: int) -> Image.Image:
        return opened(self.path(index))

    def name(self, index: int) -> str:
        return str(self.path(index))


def write(files: Files, different: int = 500) -> None:
    """Smooth random images with some noise: about the size of photographs when compressed."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(different):
        coarse = Image.fromarray(rng.integers(256, size=(16, 16, 3), dtype=np.uint8)).resize((256, 256), Image.BICUBIC)
        noisy = np.asarray(coarse, dtype=np.int16) + rng.normal(0, 8, (256, 256, 3)).astype(np.int16)
        path = files.folder / "one.jpg"
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=85)
        made.append(path.read_bytes())
    for index in range(len(files)):
        files.path(index).parent.mkdir(exist_ok=True)
        files.path(index).write_bytes(made[index % different])
    print(f"{len(files):,} JPEGs of 256 px, {np.mean([len(one) for one in made]) / 1e3:.1f} kB each")


def pillow(files: Files, rows: range) -> None:
    """Decoding and resizing alone."""
    for index in rows:
        np.asarray(files.open(index).convert("RGB").resize((SIZE, SIZE), Image.BICUBIC))


def speed(images: int, do: Callable[[], object]) -> float:
    """Images per second."""
    started = time.perf_counter()
    do()
    return images / (time.perf_counter() - started)


def ratios(files: Files, rows: range, cores: int, pool: Pool, folder: Path) -> tuple[float, float]:
    """Speed of preparation over Pillow's in one process times cores, and over Pillow's in one process per core."""
    sample = rows[: len(rows) // 10]
    parts = [sample[core::cores] for core in range(cores)]
    alone, together = [], []

    def listen() -> None:
        alone.append(speed(len(sample), lambda: pillow(files, sample)))
        together.append(speed(len(sample), lambda: pool.starmap(pillow, [(files, part) for part in parts], chunksize=1)))

    work = Decoding(files, np.array(rows), SIZE, "squash", folder, "part")
    listen()
    prepared = speed(len(rows), lambda: decode(work, cores, lambda done, total: None))
    listen()
    clear(work)
    found = prepared / (statistics.mean(alone) * cores), prepared / statistics.mean(together)
    print(
        f"Pillow {alone[0]:.0f} and {alone[1]:.0f} a second in one process, {together[0]:.0f} and {together[1]:.0f} in {cores}; "
        f"prepared {prepared:.0f}: ratios {found[0]:.2f} and {found[1]:.2f}",
        flush=True,
    )
    return found


def whole(files: Files, cores: int, folder: Path) -> None:
    """All images in one go."""
    peaks: dict[int, float] = {}

    def tell(done: int, total: int) -> None:
        if (done >= total // 10 and 10 not in peaks) or done == total:
            peaks[10 if done < total else 100] = worker_mib()

    work = Decoding(files, np.arange(len(files)), SIZE, "squash", folder, "all")
    prepared = speed(len(files), lambda: decode(work, cores, tell))
    clear(work)
    print(
        f"all in one go: {prepared:.0f} a second; peak memory of a worker "
        f"{peaks.get(10, 0):.0f} MiB after a tenth, {peaks[100]:.0f} MiB at the end"
    )


def clear(work: Decoding) -> None:
    for path in (work.images, work.digests, work.state):
        path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: a temporary folder)")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder, size = Path(name), options.images // options.rounds
        files = Files(folder, options.images)
        write(files)
        rounds = [range(start, start + size) for start in range(0, size * options.rounds, size)]
        with get_context("spawn").Pool(cores) as pool:
            found = [ratios(files, rows, cores, pool, folder) for rows in rounds]
        to_one, to_all = map(statistics.median, zip(*found, strict=True))
        print(f"median ratios: {to_one:.2f} to one process times {cores}, {to_all:.2f} to {cores} processes", flush=True)
        whole(files, cores, folder)


def worker_mib() -> float:
    """Largest resident size of this process's children that still run, MiB."""
    sizes = [0.0]
    for process in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in process.read_text().splitlines())
        except OSError:
            continue
        if lines["PPid"].strip() == str(os.getpid()) and "VmHWM" in lines:
            sizes.append(int(lines["VmHWM"].split()[0]) / 1024)
    return max(sizes) or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
