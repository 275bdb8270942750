"""The profile for queues other than SLURM, with a queue of our own in place of PBS."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from clustered import ROOT, Clustered

QUEUE = str(Path(__file__).with_name("toy_queue.py"))
ASK = "--cores {threads} --gpus {resources.gpu} --memory {resources.mem_mb} --minutes {resources.runtime}"


@pytest.mark.cluster
def test_a_study_through_a_queue_that_is_not_slurm(tmp_path):
    study = Clustered(tmp_path / "study").configure(tasks=["shapes", "colors"], methods=["coop"], memory_mib=2500)
    folder = tmp_path / "queue"
    folder.mkdir()
    call = shlex.join([sys.executable, QUEUE, str(folder)])
    study.run(
        "--profile", str(ROOT / "profiles" / "queue"), "--latency-wait", "10", "--omit-from", "figures",
        "--cluster-generic-submit-cmd", f"{call} submit {ASK}", "--cluster-generic-status-cmd", f"{call} status",
    )  # fmt: skip
    asked = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert len(study.tables()["transfer"]) == 2 * 4 and (study.results / "report.html").exists()
    assert sorted(job["gpus"] for job in asked) == [0, 0, 1, 1, 1, 1]  # probe and similarity; encode, tune, transfer and try
    assert all(job["memory"] == 2621 and job["minutes"] == 5 for job in asked)  # 2500 MiB in MB, more than any of them needs
