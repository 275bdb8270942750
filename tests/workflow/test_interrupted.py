"""Ctrl-C ends whatever it reaches in one sentence, with status 130 and no traceback; nothing is lost."""

import os
import signal
import subprocess
import sys

import pytest

from promptatlas.base.errors import NOTHING_LOST
from promptatlas.base.progress import reporting
from promptatlas.cli import command
from promptatlas.runs import session
from starts import heed
from tiny_study import ENVIRONMENT


def test_a_command_says_one_sentence(monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_status", interrupted)
    with pytest.raises(SystemExit) as ended:
        command.main(["status"])
    assert ended.value.code == 130 and capsys.readouterr().err == f"promptatlas: {NOTHING_LOST}\n"


def test_a_job_leaves_the_sentence_to_the_run_and_does_not_count_as_failed(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended, reporting(tmp_path / "log"):
        raise KeyboardInterrupt
    log = (tmp_path / "log").read_text()
    assert ended.value.code == 130 and "Traceback" not in log + capsys.readouterr().err
    assert NOTHING_LOST in log and not log.splitlines()[-1].startswith("promptatlas: ")  # as a job that stopped says


def test_a_run_says_it_before_and_while_jobs_work(capsys, monkeypatch):
    kept = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(session, "_interrupted", [])
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        session.listen()
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGINT)
        assert ended.value.code == 130 and NOTHING_LOST in capsys.readouterr().err
        signal.signal(signal.SIGINT, session._stop)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(SystemExit) as ended:
            session.abandon(None)
        assert ended.value.code == 130 and NOTHING_LOST in capsys.readouterr().err
    finally:
        signal.signal(signal.SIGINT, kept)


def test_a_run_that_ignores_it_from_its_start_goes_on():
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        session.listen()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, kept)


@pytest.mark.imports
def test_processes_that_decode_leave_it_to_the_one_that_waits():
    code = "import signal, promptatlas.tasks.decoding as d\nd._Job = lambda work: None\nd._begin(None)\nsignal.raise_signal(signal.SIGINT)"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr


def test_a_whole_run_ends_so_and_goes_on(study):
    for cell in (study.results / "cells/frozen/coop").rglob("*.json"):
        cell.unlink()
    process = subprocess.Popen(
        study.command(), cwd=study.folder, env=ENVIRONMENT, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=heed,
    )  # fmt: skip
    told = ""
    for line in process.stdout:
        told += line
        if "cells to measure" in line:
            os.killpg(process.pid, signal.SIGINT)
            break
    told += process.stdout.read()
    assert process.wait() == 130 and told.rstrip().endswith(f"promptatlas: {NOTHING_LOST}")
    assert "Traceback" not in told and "the report is" not in told
    study.run("--until", "collect")
