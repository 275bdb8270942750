"""Jobs on one machine do not share a GPU silently, and what a job asks of a cluster grows when it is repeated."""

import os
import signal
import subprocess
import sys

import pytest

from promptatlas.base.errors import UserError
from promptatlas.runs import devices, session
from promptatlas.study.study import Study

CLAIM = "import sys, time; from promptatlas.runs import devices; print(devices._claimed(sys.argv[1:]), flush=True); time.sleep(600)"


@pytest.fixture
def claim(tmp_path):
    """Starts a job that claims one of two GPUs and keeps it."""
    started = []

    def start() -> subprocess.Popen:
        job = subprocess.Popen(
            [sys.executable, "-c", CLAIM, "first", "second"], env=os.environ | {"TMPDIR": str(tmp_path)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(job)
        return job

    yield start
    for job in started:
        job.kill()
        job.communicate()


@pytest.mark.imports
def test_two_jobs_get_two_gpus_and_a_third_waits_for_the_one_that_is_killed(claim):
    jobs = [claim(), claim()]
    assert sorted(job.stdout.readline() for job in jobs) == ["0\n", "1\n"]
    third = claim()
    assert "other jobs work on all 2 GPUs" in third.stderr.readline()
    jobs[0].send_signal(signal.SIGKILL)
    freed = third.stdout.readline()
    assert freed in ("0\n", "1\n") and jobs[0].wait() == -signal.SIGKILL and jobs[1].poll() is None


def test_without_a_gpu_the_work_is_done_on_the_cpu_unless_a_gpu_is_demanded(monkeypatch, capsys):
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert devices.chosen("auto", 1) == "cpu" and "names GPU 3, but torch finds none" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"device is `cuda` in the configuration, but no GPU can be used here .* is '3'"):
        devices.chosen("cuda", 1)


@pytest.mark.imports
def test_products_are_in_float32_also_where_the_environment_allows_less():
    """And sums of half precision's products too."""
    told = (
        "import torch; from promptatlas.runs import devices; matmul = torch.backends.cuda.matmul; allowed = lambda: "
        "(matmul.allow_tf32, torch.backends.cudnn.allow_tf32, matmul.allow_fp16_reduced_precision_reduction); "
        "before = allowed(); devices.chosen('cpu', 1); print(before, allowed())"
    )
    environment = os.environ | {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    done = subprocess.run([sys.executable, "-c", told], env=environment, text=True, capture_output=True, check=True)
    assert done.stdout == "(True, True, True) (False, False, False)\n"


def test_a_given_gpu_is_kept_for_the_whole_job(monkeypatch, tmp_path):
    chosen = []
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(devices, "_held", [])
    monkeypatch.setattr(devices, "_identities", lambda: ["only"])
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices.torch.cuda, "set_device", chosen.append)
    assert devices.chosen("auto", 1) == devices.chosen("cuda", 1) == "cuda" and chosen == [0]
    assert devices.chosen("cpu", 1) == "cpu" and len([*tmp_path.iterdir()]) == 1


def test_a_repeated_job_asks_for_more():
    study = Study({"memory_mib": 3000, "minutes": 120})
    asked = session.resources(study, "tune", runs_model=True)
    assert asked["gpu"] == 1 and [asked["mem_mib"](None, attempt) for attempt in (1, 2)] == [3000, 6000]
    assert [asked["runtime"](None, attempt) for attempt in (1, 3)] == [120, 360]
