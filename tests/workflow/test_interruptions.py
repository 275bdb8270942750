"""A run that is killed at any moment and started again ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from same_results import assert_same
from tiny_study import ENVIRONMENT, begin


def kill_after(study, files: int, seconds: float) -> bool:
    """Starts the study and kills it and all its jobs `seconds` after `files` more results; says whether it still ran."""
    process = subprocess.Popen(
        study.command(), cwd=study.folder, env=ENVIRONMENT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wanted = len(results(study)) + files
    while process.poll() is None and len(results(study)) < wanted:
        time.sleep(0.02)
    try:
        process.wait(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        while at_work(study):
            time.sleep(0.01)
        return True


def at_work(study) -> bool:
    """Whether a process works in the study's folder: what is killed with another may end a moment later."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if Path(os.readlink(process / "cwd")).is_relative_to(study.folder):
                return True
    return False


def results(study) -> list[str]:
    """Names of the whole files of every kind, those of the resume folder included, while a run adds and removes some."""
    return [name for _, _, names in os.walk(study.results) for name in names if not name.startswith(".")]


def test_a_second_run_beside_the_first_is_refused(study):
    import fcntl

    (study.results / "cells/frozen/coop/seed1/shapes/colors.json").unlink()
    with (study.results / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another run is working on" in study.fails()
    study.run("--until", "collect")


def test_a_failing_job_keeps_what_it_had_measured(study):
    """Snakemake deletes what a failed job wrote; the next attempt takes it from the resume folder."""
    old = study.measured()
    for cell in (study.results / "cells/frozen/coop").rglob("*.json"):
        cell.unlink()
    fourth = next(cell["fingerprint"] for name, cell in old.items() if name == "cells/frozen/coop/seed1/glasses/colors.json")
    obstacle = study.results / "resume" / f"{fourth}.json"
    obstacle.mkdir(parents=True)
    assert "IsADirectoryError" in study.fails("--until", "collect")
    kept = study.contents("resume")
    assert len(kept) >= 3 * 5
    obstacle.rmdir()
    study.run("--until", "collect")
    new = {name: content for name, content in study.contents("cells").items() if "/coop/" in name}
    assert set(kept.values()) <= set(new.values()) and study.measured() == old and not study.contents("resume")


def test_ten_kills_at_random_moments_change_no_result(finished, backbone, tmp_path):
    """Forks of the tests' server are killed here; the study that it comes out like was started for real."""
    study = begin(tmp_path / "killed", backbone)
    moments = random.Random(int(os.environ.get("KILL_SEED", 7)))
    kills = 0
    for _ in range(10):
        kills += kill_after(study, moments.randrange(1, 18), moments.uniform(0, 0.3))
    study.run()
    assert kills >= 8
    assert_same(study, finished)
    assert not study.contents("resume") and "Nothing to be done" in study.run()
    assert not [*study.results.rglob(".*.tmp")]
