"""A tiny study in a folder of its own, and what can be asked of it and done with it."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from starts import BIN, ENVIRONMENT, PYTHON

ROOT = Path(__file__).parents[2]
PROMPTATLAS = str(BIN / "promptatlas")
CONFIG = {
    "study": "tiny",
    "tasks": ["shapes", "colors", "digits_rendered", "glasses"],
    "methods": ["coop", "vpt"],
    "seeds": [1],
    "shots": 2,
    "settings": {
        "coop": {"epochs": 2, "context": 2},
        "vpt": {"epochs": 1, "prompts": 1, "depth": "shallow"},
    },
    "statistics": {"permutations": 99},
    "choice": False,
}


@dataclass(frozen=True)
class Finished:
    """A folder in which Snakemake is run, and what can be asked of the study in it."""

    folder: Path
    python: str = PYTHON

    def started_for_real(self) -> "Finished":
        """The same folder, in which Snakemake and its jobs are started as a user starts them."""
        return replace(self, python=sys.executable)

    @property
    def results(self) -> Path:
        return self.folder / "results" / "tiny"

    def configure(self, **changes) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | changes))

    def command(self, *arguments: str) -> list[str]:
        return [self.python, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *arguments]

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*arguments), cwd=self.folder, env=ENVIRONMENT, text=True, capture_output=True, timeout=600)

    def run(self, *arguments: str) -> str:
        """Runs to the end and returns what was printed."""
        done = self.snakemake(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def fails(self, *arguments: str) -> str:
        """Runs, must end with status 1, and returns the only sentence for the user, however many jobs it stopped."""
        done = self.snakemake(*arguments)
        sentences = {line for line in done.stderr.splitlines() if line.startswith("promptatlas: ")}
        assert done.returncode == 1 and len(sentences) == 1 and "Traceback" not in done.stderr, done.stderr
        return sentences.pop()

    def contents(self, *folders: str) -> dict[str, bytes]:
        """Relative path to content of every result file under `folders`."""
        files = [path for folder in folders for path in (self.results / folder).rglob("*") if path.is_file()]
        return {str(path.relative_to(self.results)): path.read_bytes() for path in files}

    def measured(self) -> dict[str, dict]:
        """The cells without what may differ between two measurements of the same."""
        cells = {name: json.loads(content) for name, content in self.contents("cells").items()}
        return {name: {k: v for k, v in cell.items() if k not in ("seconds", "peak_mib")} for name, cell in cells.items()}


def differing(before: dict, after: dict) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def begin(folder: Path, backbone: Path, **changes) -> Finished:
    """A study in `folder` that has only its backbone yet."""
    folder.mkdir(parents=True, exist_ok=True)
    study = Finished(folder)
    study.configure(**changes)
    shutil.copytree(backbone, study.results / "backbone")
    return study


def go_on(folder: Path, finished: Finished, **changes) -> Finished:
    """A study in `folder` that has its backbone and its tasks, prepared and encoded, from a finished one, and nothing else."""
    study = begin(folder, finished.results / "backbone", **changes)
    for kind in ("tasks", "encoded"):
        shutil.copytree(finished.results / kind, study.results / kind)
    return study
