"""What a finished study was made with: versions, the state of the code, the configuration, hashes of what went in and what
came out, devices and times. All in one file beside the results.

Versions and code are those of the process that writes the file, at the end of the run. NOT known: whether cells that were
kept from an earlier run were measured with the same; their fingerprints say only that they would come out the same.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from promptatlas import backbone
from promptatlas.base import place, plugins
from promptatlas.base.files import replace, sha256
from promptatlas.base.progress import RAN_ON
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.study.study import Study

PACKAGES = (
    "promptatlas", "torch", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "pillow", "matplotlib", "safetensors",
    "tokenizers", "ftfy", "open_clip_torch", "torchvision", "datasets", "snakemake",
)  # fmt: skip
CODE = ("Snakefile", "workflow")


def write(study: Study) -> None:
    replace(study.paths.provenance_file, written(gathered(study)))


def written(told: dict[str, Any]) -> bytes:
    return (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()


def gathered(study: Study) -> dict[str, Any]:
    """Everything that the file holds. A task or draw that failed has no hash."""
    return {
        "study": study.name,
        "code": code(place.ROOT),
        "numerics": NUMERICS_VERSION,
        "precision": study.config["precision"],
        "versions": versions(),
        "system": platform.platform(),
        "devices": devices(study.paths.log("any").parent.glob("*.log")),
        "times": times(study.paths.benchmark("any").parent.glob("*.tsv")),
        "config": study.description,
        **({"plugins": plugins.marks()} if plugins.marks() else {}),
        "backbone": {"name": study.backbone.name, "sha256": backbone.fingerprint(study.paths.backbone_folder)},
        "tasks": {task: _read(study.paths.task_folder(task) / "task.json").get("fingerprints") for task in study.tasks},
        "draws": {task: {str(seed): _read(study.paths.draw(task, seed)).get("sha256") for seed in study.seeds} for task in study.learners},
        "results": results(study),
    }


def results(study: Study) -> dict[str, str]:
    """SHA-256 of the tables, of the numbers of the report and of the page, by place in the study's folder."""
    files = [*study.tables, study.paths.summary, study.paths.report]
    return {str(path.relative_to(study.folder)): sha256(path) for path in files}


def versions() -> dict[str, str | None]:
    """Of Python and of the packages that results may depend on; None for what is not installed as a package."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def code(folder: Path) -> dict[str, Any]:
    """The commit of the checkout that `folder` is, and whether its code differs from it; nothing where it is none."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != folder.resolve():
        return {"commit": None, "changed": None}
    return {"commit": _git(folder, "rev-parse", "HEAD"), "changed": bool(_git(folder, "status", "--porcelain", "--", *CODE))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], text=True, capture_output=True)
    except OSError:  # there is no git
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def devices(logs: Iterable[Path]) -> dict[str, int]:
    """Device -> how many jobs ran on it, each the last time that it ran. The names of the machines are left out."""
    lines = (line for log in logs for line in log.read_text(errors="replace").splitlines() if line.startswith(RAN_ON))
    return dict(Counter(line.partition(": ")[2] for line in lines))


def times(benchmarks: Iterable[Path]) -> dict[str, str | None]:
    """When the first and the last job ended, of those whose last run is noted."""
    ends = sorted(path.stat().st_mtime for path in benchmarks)
    first, last = (datetime.fromtimestamp(int(end), UTC).isoformat() for end in (ends[0], ends[-1])) if ends else (None, None)
    return {"first_job_ended": first, "last_job_ended": last}


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())
