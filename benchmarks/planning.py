"""What it takes Snakemake to plan large studies: python benchmarks/planning.py [--nothing-to-do]

Dry runs of ELEVATER's 20 tasks with six methods, three seeds and both protocols, and of 100 own tasks with six methods and
three seeds, each in an empty folder with one job per task and target, the most jobs that there can be; of the latter also in shares
for 16 devices. The own tasks have empty files for images. With --nothing-to-do also the run after everything is there, with empty
files in place of the results. Prints wall seconds, seconds of CPU time and peak memory, and how often the machine was asked for
more than it has (load per core) before it began.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from promptatlas.study.study import Study

ROOT = Path(__file__).resolve().parents[1]
METHODS = ["coop", "vpt", "upt", "maple", "ivlp", "cocoop"]
CUT = {"seeds": [1, 2, 3], "methods": METHODS, "jobs": {"tasks_per_job": 1, "prompts_per_job": 1, "targets_per_job": 1}}
OWN = [f"task{number:03d}" for number in range(100)]
STUDIES: dict[str, dict[str, Any]] = {
    "elevater": CUT | {
        "benchmark": "elevater", "backbone": {"model": "ViT-B-16-quickgelu", "pretrained": "openai"}, "shots": 20,
        "draw": "elevater", "resize": "squash", "protocols": ["frozen", "init"],
    },
    "hundred": CUT | {"benchmark": "own", "data": {name: {"folder": f"pictures/{name}"} for name in OWN}},
}  # fmt: skip
STUDIES["shares"] = STUDIES["hundred"] | {"jobs": {"devices": 16}}
LIMITS = {"elevater": 15, "hundred": 60, "shares": 60}  # CPU seconds


def measure(folder: Path, *arguments: str) -> tuple[float, float, float, str]:
    """Wall seconds, CPU seconds and peak MiB of Snakemake in `folder`, and what it printed."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *arguments]
    with tempfile.TemporaryFile("w+") as printed:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        printed.seek(0)
        told = printed.read()
    if status:
        sys.exit(told[-2000:])
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, told


def pretend(study: Study, folder: Path) -> None:
    """Empty files for everything that the study's jobs make but for what is made last, which follows from the rest."""
    files = [path for job in study.jobs.every for path in (*job.outputs, study.paths.index(job.name))]
    files += [
        *study.prepared,
        *study.paths.backbone_files,
        *study.tables,
        *study.conclusions,
        study.paths.fetched,
    ]
    files += [study.paths.resolved_config]
    for path in files:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(exist_ok=True) if path == study.paths.figures else place.touch()


def own_images(folder: Path) -> None:
    """Two classes with three files each."""
    for path in (folder / kind / f"{number}.png" for kind in "ab" for number in range(3)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="*", default=list(STUDIES), help=f"which of {', '.join(STUDIES)}")
    parser.add_argument("--nothing-to-do", action="store_true", help="also the run after everything is there")
    options = parser.parse_args()
    print(f"{'study':<10}{'run':<16}{'cells':>8}{'limit s':>9}{'wall s':>8}{'cpu s':>8}{'MiB':>7}{'load':>6}")
    for name in options.studies:
        study = Study(STUDIES[name] | {"study": name})
        with tempfile.TemporaryDirectory() as folder:
            for task in STUDIES[name].get("data", {}):
                own_images(Path(folder) / "pictures" / task)
            (Path(folder) / "config.yaml").write_text(yaml.safe_dump(STUDIES[name] | {"study": name}))
            runs = {"dry run": ["--dry-run"]} | ({"nothing to do": ["--dry-run"]} if options.nothing_to_do else {})
            for run, arguments in runs.items():
                if run == "nothing to do":
                    pretend(study, Path(folder))
                    measure(Path(folder), "--touch")
                load = os.getloadavg()[0] / os.cpu_count()
                wall, cpu, memory, told = measure(Path(folder), *arguments)
                if run == "nothing to do" and "Nothing to be done" not in told:
                    sys.exit(f"{name}: something is still to be done\n{told[-2000:]}")
                print(
                    f"{name:<10}{run:<16}{len(study.cells):>8}{LIMITS[name]:>9}{wall:>8.1f}{cpu:>8.1f}{memory:>7.0f}{load:>6.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
