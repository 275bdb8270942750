"""A small study of four tasks and two methods in a folder of its own: run on a cluster or here, and what came out."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import yaml

import untrained
from starts import ENVIRONMENT, PYTHON

ROOT = Path(__file__).parents[2]
CONFIG = {
    "study": "clustered",
    "tasks": ["shapes", "colors", "position", "signs"],
    "methods": ["coop", "vpt"],
    "seeds": [1],
    "shots": 2,
    "settings": {
        "coop": {"epochs": 2, "context": 2},
        "vpt": {"epochs": 1, "prompts": 1, "depth": "shallow"},
    },
    "statistics": {"permutations": 99},
    "memory_mib": 1500,
    "minutes": 5,
}
# Pieces for three nodes: few, because on two cores each job costs seconds that have nothing to do with its work.
PIECES = {"tasks_per_job": "all", "prompts_per_job": 2, "targets_per_job": 2}
UNTIMED = ["seconds", "peak_mib"]
# A prompt tuned beside others differs from one tuned alone in the last bits, and with it its fingerprint.
BITS = ["fingerprint"]


def on_slurm(profile: Path = ROOT / "profiles" / "slurm") -> list[str]:
    """With that profile, but without its patience: the cluster is this machine."""
    impatient = {"slurm-init-seconds-before-status-checks": 5, "max-status-checks-per-second": 1, "latency-wait": 10}
    return ["--profile", str(profile), *(str(part) for key, value in impatient.items() for part in (f"--{key}", value))]


@dataclass(frozen=True)
class Clustered:
    """A folder in which the study is run."""

    folder: Path
    python: str = PYTHON

    def started_for_real(self) -> "Clustered":
        """The same folder, in which Snakemake, its jobs and their scripts are started as a user's cluster starts them."""
        return replace(self, python=sys.executable)

    @property
    def results(self) -> Path:
        return self.folder / "results" / "clustered"

    def configure(self, **changes: object) -> "Clustered":
        """With a backbone that is there already."""
        untrained.write(self.results / "backbone")
        (self.folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | changes))
        return self

    def command(self, *arguments: str) -> list[str]:
        return [self.python, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]

    def run(self, *arguments: str, timeout: float = 900) -> str:
        """Runs to the end and returns what was printed."""
        done = subprocess.run(self.command(*arguments), cwd=self.folder, env=ENVIRONMENT, text=True, capture_output=True, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name, without what differs between two ways of computing the same."""
        found = {path.stem: pd.read_parquet(path) for path in (self.results / "tables").glob("*.parquet")}
        return {name: table.drop(columns=UNTIMED + BITS, errors="ignore") for name, table in found.items()}
