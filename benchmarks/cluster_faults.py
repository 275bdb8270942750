"""What is lost when a cluster fails: python benchmarks/cluster_faults.py [fault ...]

Starts a toy SLURM cluster (tests/cluster/toy_slurm.py; root, Debian) and runs a study whose cells take seconds each. When some
cells are finished and others are being measured, something breaks. If the run then fails, the same command is given once more.
Prints per fault what happened, how many results were finished at that moment, how many of these were computed again (their
files differ, and every file holds the seconds that it took), and whether all tables equal those of an undisturbed run to 1e-4.
"""

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "cluster"))
from clustered import CONFIG, ENVIRONMENT, Clustered, on_slurm
from toy_slurm import Cluster, says

# Prompts of six sources are tuned together for each target: that is what takes seconds.
SLOW = {
    "protocols": ["init"],
    "settings": {"coop": {"epochs": 100, "context": 2}, "vpt": {"epochs": 20, "prompts": 1, "depth": "shallow"}},
    "jobs": {"tasks_per_job": "all", "prompts_per_job": "all", "targets_per_job": 3},
}
TRANSFER = [f"transfer_init_{method}_{piece}of2" for method in CONFIG["methods"] for piece in (1, 2)]
IN_VAIN = 200  # seconds; Snakemake may look every 180
AT_ONCE = 12  # cells that are to be finished when something breaks: two targets of some job


class Run:
    """A run of the study on the cluster."""

    def __init__(self, study: Clustered):
        self.study = study
        self.log = (study.folder / "run.log").open("a")
        self.process = subprocess.Popen(
            study.command(*on_slurm()), cwd=study.folder, env=ENVIRONMENT, stdout=self.log, stderr=subprocess.STDOUT
        )

    def wait_for_cells(self, count: int) -> None:
        while self.process.poll() is None and (len(finished(self.study)) < count or not running()):
            time.sleep(0.2)

    def end(self) -> str:
        """Its exit status. A run that waits although none of its jobs is left is stopped."""
        waiting = 0
        while self.process.poll() is None:
            time.sleep(1)
            waiting = 0 if says("squeue", "-h") else waiting + 1
            if waiting > IN_VAIN:
                self.process.kill()
                self.process.wait()
                return "stopped, waiting in vain"
        return f"status {self.process.returncode}"


def running() -> list[str]:
    """SLURM's numbers of the jobs that run."""
    return says("squeue", "-h", "-t", "running", "-o", "%i").split()


def finished(study: Clustered) -> dict[str, str]:
    """Every cell that exists, in its place or kept for the next attempt. Zero-shot cells are left out: they hold for every
    method, so a job may well take over another's.
    """
    found = {}
    for path in [*(study.results / "cells").rglob("*.json"), *(study.results / "resume").glob("*.json")]:
        try:
            cell = json.loads(path.read_text())
        except FileNotFoundError:  # a job has just cleaned up
            continue
        if cell["source"] != "template":
            found[f"{cell['method']} {cell['target']} {cell['source']}"] = json.dumps(cell, sort_keys=True)
    return found


def cancelled(cluster: Cluster, run: Run) -> None:
    """`scancel` of all running jobs"""
    says("scancel", *running())


def node_down(cluster: Cluster, run: Run) -> None:
    """a node is set down for 30 s"""
    node = says("squeue", "-h", "-t", "running", "-o", "%N").split()[0]
    says("scontrol", "update", f"nodename={node}", "state=down", "reason=fault")
    time.sleep(30)
    says("scontrol", "update", f"nodename={node}", "state=resume")


def daemon_killed(cluster: Cluster, run: Run) -> None:
    """slurmd of a node is killed for 30 s, its job works on unseen"""
    node = says("squeue", "-h", "-t", "running", "-o", "%N").split()[0]
    cluster.stop(node, signal.SIGKILL)
    time.sleep(30)
    cluster.start_node(node)


def too_slow(cluster: Cluster, run: Run) -> None:
    """a job hangs until its time limit"""
    says("scancel", "--signal=STOP", running()[0])


def preempted(cluster: Cluster, run: Run) -> None:
    """jobs of a higher partition want all nodes for 10 s"""
    says("sbatch", "-p", "high", "-N", str(len(cluster.nodes)), "--exclusive", "-o", "/dev/null", "--wrap", "sleep 10")


def controller_restarted(cluster: Cluster, run: Run) -> None:
    """slurmctld is stopped and comes back after 20 s"""
    cluster.stop("slurmctld", signal.SIGTERM)
    time.sleep(20)
    cluster.start_controller()


def snakemake_killed(cluster: Cluster, run: Run) -> None:
    """Snakemake is killed (SIGKILL); the next run starts at once, beside the jobs of the first"""
    run.process.kill()


FAULTS: dict[str, Callable[[Cluster, Run], None]] = {
    fault.__name__: fault for fault in (cancelled, node_down, daemon_killed, too_slow, preempted, controller_restarted, snakemake_killed)
}


def microbenchmark(name: str, cluster: Cluster, base: Clustered, expected: dict[str, pd.DataFrame]) -> dict[str, object]:
    """One fault in one run of the study."""
    study = Clustered(base.folder.with_name(name))
    shutil.copytree(base.folder, study.folder)
    study.configure(**SLOW, minutes=1 if name == "too_slow" else 30)
    known = {int(number) for number in says("squeue", "-h", "-t", "all", "-o", "%A").split()}
    started = time.monotonic()
    run = Run(study)
    run.wait_for_cells(AT_ONCE)
    before = finished(study)
    FAULTS[name](cluster, run)
    ends = [run.end()]
    if ends[0] != "status 0":
        ends.append(Run(study).end())
    after, tables = finished(study), study.tables()
    lost = [cell for cell in before if cell not in after]
    again = [cell for cell in before if cell in after and before[cell] != after[cell]]
    return {
        "fault": FAULTS[name].__doc__,
        "what happened": happened(known, ends),
        "finished before": len(before),
        "lost": len(lost),
        "computed again": len(again),
        "tables": "equal" if ends[-1] == "status 0" and equal(tables, expected) else "DIFFER",
        "seconds": round(time.monotonic() - started),
    }


def happened(known: set[int], ends: list[str]) -> str:
    """How SLURM's jobs ended, how often SLURM itself started one again, and how the runs ended."""
    jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in says("scontrol", "-o", "show", "job").splitlines()]
    jobs = [job for job in jobs if int(job["JobId"]) not in known and job["Partition"] != "high"]
    states = Counter(job["JobState"] for job in jobs)
    requeued = sum(int(job["Restarts"]) for job in jobs)
    words = [f"{count} {state.lower()}" for state, count in states.most_common()]
    words += [f"{requeued} requeued"] if requeued else []
    return ", ".join(words) + f"; Snakemake: {', then '.join(ends)}"


def equal(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> bool:
    try:
        for name, table in expected.items():
            pd.testing.assert_frame_equal(found[name], table, rtol=0, atol=1e-4)
    except (AssertionError, KeyError) as difference:
        print(difference, file=sys.stderr)
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("faults", nargs="*", choices=[[], *FAULTS], help="some of the faults (default: all)")
    parser.add_argument("--folder", type=Path, help="where to work; what is ready there is used (default: a temporary folder)")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="cluster-faults-"))
    base, whole = Clustered(folder / "base").configure(**SLOW), Clustered(folder / "undisturbed")
    if not whole.folder.exists():
        base.run("--cores", "2", "--omit-from", *TRANSFER)
        shutil.copytree(base.folder, whole.folder)
        whole.run("--cores", "2")
    expected = whole.tables()
    rows = []
    for name in options.faults or FAULTS:
        with Cluster() as cluster:
            rows.append(microbenchmark(name, cluster, base, expected))
        print(json.dumps(rows[-1]), flush=True)
    print(table(rows))
    if not options.folder:
        shutil.rmtree(folder)


def table(rows: list[dict[str, object]]) -> str:
    """Markdown, as in docs/cluster.md."""
    lines = [[*rows[0]], ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
