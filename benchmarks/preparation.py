"""Speed of picture preparation against Pillow's own decoding and resizing: python benchmarks/preparation.py [--pictures 100000]

Writes JPEGs of 256 px, then alternates, several times: Pillow alone on a sample in this process; `decode` on all of them
with one worker per core. Prints pictures per second, the ratio to Pillow times cores, and the peak memory of a worker
after a tenth and after all of the pictures.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from promptatlas.tasks.decoding import Work, decode

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
        return Image.open(self.path(index))

    def name(self, index: int) -> str:
        return str(self.path(index))


def write(files: Files, different: int = 500) -> None:
    """Smooth random pictures with some noise: about the size of photographs when compressed."""
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


def pillow(files: Files, count: int) -> float:
    """Pictures per second of decoding and resizing alone, one process."""
    started = time.perf_counter()
    for index in range(count):
        np.asarray(files.open(index).convert("RGB").resize((SIZE, SIZE), Image.BICUBIC))
    return count / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: a temporary folder)")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        files = Files(Path(folder), options.pictures)
        write(files)
        ratios = []
        for number in range(options.rounds):
            alone = pillow(files, min(2000, len(files)))
            peaks: dict[int, float] = {}

            def tell(done: int, total: int) -> None:
                if done >= total // 10 and 10 not in peaks or done == total:
                    peaks[10 if done < total else 100] = worker_mib()

            work = Work(files, np.arange(len(files)), SIZE, "squash", Path(folder) / f"round{number}", "all")
            started = time.perf_counter()
            decode(work, cores, tell)
            speed = len(files) / (time.perf_counter() - started)
            again = pillow(files, min(2000, len(files)))
            ratios.append(speed / (statistics.mean([alone, again]) * cores))
            print(
                f"Pillow {alone:.0f} and {again:.0f} a second on one core, prepared {speed:.0f} on {cores}: "
                f"ratio {ratios[-1]:.2f}; peak memory of a worker {peaks.get(10, 0):.0f} MiB after a tenth, {peaks[100]:.0f} MiB at the end"
            )
            for path in (work.images, work.digests, work.state):
                path.unlink()
        print(f"median ratio {statistics.median(ratios):.2f}")


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
