"""How far a job is: its share, its speed and the time left, where they are told, and what is left of a job that was killed."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from promptatlas.base import running, stage, time_left
from promptatlas.base.progress import reporting
from promptatlas.base.running import HowFar, RunningFile, RunningJob
from promptatlas.base.stage import Stage, passing, through
from promptatlas.base.telling import CLEAR, Teller


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Kept(Teller):
    """Keeps all that it is told, with whether a line was due."""

    def __init__(self):
        super().__init__()
        self.told = []

    def progress(self, how_far, due):
        self.told.append((how_far, due))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "less than a minute"), (44, "less than a minute"), (46, "about 1 minute"), (720, "about 12 minutes"),
     (89 * 60, "about 89 minutes"),
     (91 * 60, "about 2 hours"), (3 * 3600, "about 3 hours"), (50 * 3600, "about 2 days"), (4000 * 86400, "about 4,000 days")],
)  # fmt: skip
def test_a_span_is_said_as_exactly_as_it_is_known(seconds, told):
    assert time_left.span(seconds) == told


@pytest.mark.parametrize(
    ("per_second", "told"),
    [(1234.5, "1,234 a second"), (3.14, "3.1 a second"), (0.2, "12 a minute"), (1 / 600, "6.0 an hour"), (1e-6, "0.0 an hour")],
)  # fmt: skip
def test_a_speed_is_said_in_the_shortest_unit_that_has_one(per_second, told):
    assert time_left.rate(per_second) == told


def test_the_share_grows_inside_of_a_result_and_gives_the_time_that_is_left(clock):
    """4 results of 10 epochs, 10 seconds an epoch: after 1 result and 5 epochs, 150 of 400 seconds have passed."""
    kept = Kept()
    counted = Stage("tune", "prompts", kept, 4, clock)
    with counted.making("flowers", 1):
        for _ in through(range(10), "epoch"):
            clock.now += 10
    with counted.making("dogs", 1):
        for epoch in through(range(10), "epoch"):
            if epoch == 5:
                far = counted.how_far()
                break
            clock.now += 10
    assert far.done == 1 and far.total == 4
    assert far.share == pytest.approx(0.375) and far.seconds_left == pytest.approx(250) and far.speed == pytest.approx(1.5 / 150)
    assert str(far) == "tune: 1 of 4 prompts (37 %), 36 an hour, about 4 minutes left; dogs: epoch 6 of 10"


def test_a_loop_in_a_loop_is_a_part_of_its_turn_and_nothing_goes_back(clock):
    counted, shares = Stage("encode", "tasks", Kept(), 2, clock), []
    with counted.making("pets", 2):
        for _ in through(["train", "test"], "array"):
            with passing(lambda part: part, 100, "image") as told:
                for start in (0, 50):
                    told(slice(start, start + 50))
                    shares.append(counted.how_far().share)
                    last = counted.how_far().inside
        assert last == "pets: array 2 of 2, image 100 of 100"
        for _ in through(range(10), "pass"):  # such as half of the results after the other half
            last = counted.how_far().share
            shares += [last]
    assert shares == [0.25, 0.5, 0.75, *[1.0] * 11] and counted.done == 2


def test_what_was_found_says_nothing_of_the_speed(clock):
    counted = Stage("transfer", "cells", Kept(), 100, clock)
    with counted.making("dogs", 50):
        counted.taken_over(40)
        clock.now += 10
    far = counted.how_far()
    assert (far.done, far.share, far.speed, far.seconds_left) == (50, 0.5, pytest.approx(1), pytest.approx(50))


def test_nothing_is_said_of_the_speed_before_it_is_known(clock):
    counted = Stage("tune", "prompts", Kept(), 2, clock)
    with counted.making("dogs", 1):
        clock.now += 1
    assert counted.how_far().speed is None and str(counted.how_far()) == "tune: 1 of 2 prompts (50 %); dogs"


@pytest.mark.parametrize(("seconds", "lines"), [(100 / 1000, 10), (600 / 1000, 20), (3000 / 1000, 100)])
def test_a_log_has_a_line_for_thirty_seconds_or_a_tenth(clock, seconds, lines):
    """1,000 results take 100, 600 and 3,000 seconds."""
    told = []
    counted = Stage("prepare", "images", told.append, 1000, clock)
    for done in range(1, 1001):
        clock.now += seconds
        counted(done, 1000)
    assert lines - 1 <= len(told) <= lines + 1 and told[-1].startswith("prepare: 1,000 of 1,000 images, ")


def test_loops_of_which_nobody_is_told_are_only_loops():
    assert list(through([3, 4], "epoch")) == [3, 4]
    with passing(len, 3, "image") as run:
        assert run is len


def test_a_loop_that_fails_leaves_the_stage_as_it_was(clock):
    counted = Stage("tune", "prompts", Kept(), 1, clock)
    with counted.making("dogs", 1):
        with pytest.raises(StopIteration):
            next(iter(through([], "epoch")))
        loop = through(range(3), "epoch")
        assert next(loop) == 0
        with pytest.raises(ValueError, match="not a number"):
            loop.throw(ValueError("not a number"))
        assert counted.how_far().inside == "dogs"
        assert stage._now.get() is counted
        for _ in through(range(3), "seed"):
            assert counted.how_far().inside == "dogs: seed 1 of 3"
            break
    assert stage._now.get() is None


def test_on_a_terminal_one_line_is_drawn_again_and_the_log_has_few():
    screen, log = Terminal(), io.StringIO()
    teller = Teller(log, screen)
    for done in range(4):
        teller.progress(HowFar("tune", "prompts", done, 4, done / 4), due=done == 2)
    teller("dogs failed")
    teller.progress(HowFar("tune", "prompts", 4, 4, 1.0), due=True)
    assert "\n" not in screen.getvalue().partition("dogs failed")[0] and screen.getvalue().count(CLEAR) == 5
    assert screen.getvalue().endswith(f"{CLEAR}dogs failed\ntune: 4 of 4 prompts\n")
    assert log.getvalue() == "tune: 2 of 4 prompts (50 %)\ndogs failed\ntune: 4 of 4 prompts\n"


def test_jobs_that_run_at_once_do_not_draw_over_each_other(tmp_path):
    with reporting(tmp_path / "tune_a.log"):
        screen, own = Terminal(), RunningFile(tmp_path / "tune_b.log")
        Teller(io.StringIO(), screen, own).progress(HowFar("tune", "prompts", 1, 4, 0.25), due=False)
        assert screen.getvalue() == ""
    Teller(io.StringIO(), screen, own).progress(HowFar("tune", "prompts", 1, 4, 0.25), due=False)
    assert screen.getvalue() == f"{CLEAR}tune: 1 of 4 prompts (25 %)"
    own.end()


def test_a_running_job_is_seen_with_how_far_it_is_until_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "SOON", 0)
    with reporting(tmp_path / "logs/tune.log") as say:
        assert [str(job) for job in running.jobs(tmp_path / "logs")] == ["tune: runs for less than a minute"]
        counted = Stage("tune coop", "prompts", say, 2)
        with counted.making("dogs", 1):
            pass
        assert [str(job) for job in running.jobs(tmp_path / "logs")] == ["tune: tune coop: 1 of 2 prompts (50 %); dogs"]
    assert list(running.jobs(tmp_path / "logs")) == [] and [path.name for path in (tmp_path / "logs").iterdir()] == ["tune.log"]
    with pytest.raises(SystemExit), reporting(tmp_path / "logs/tune.log"):
        raise OSError("nothing works")
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["tune.log"]


def test_the_file_is_whole_whenever_it_is_read(tmp_path):
    file, stop = RunningFile(tmp_path / "tune.log"), time.monotonic() + 0.3
    number = 0
    while time.monotonic() < stop:
        file.tell(HowFar("tune", "prompts", number, 10**6, 0.5, inside="x" * (number % 1000)))
        assert json.loads(file.path.read_bytes())["how_far"]["done"] == number
        number += 1
    file.end()
    assert list(tmp_path.iterdir()) == [] and number > 10


@pytest.mark.imports
def test_what_a_killed_job_left_is_no_running_job_and_goes(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from promptatlas.base.running import RunningFile\n"
        "file = RunningFile(Path(sys.argv[1])); print('up', flush=True); time.sleep(60)"
    )
    job = subprocess.Popen([sys.executable, "-c", code, tmp_path / "tune.log"], stdout=subprocess.PIPE)
    assert job.stdout.readline() == b"up\n"
    assert [one.job for one in running.jobs(tmp_path)] == ["tune"]
    running.forget_killed(tmp_path)
    assert (tmp_path / "tune.running").exists()
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    assert list(running.jobs(tmp_path)) == [] and (tmp_path / "tune.running").exists()
    running.forget_killed(tmp_path)
    assert not (tmp_path / "tune.running").exists()


def test_old_news_say_how_old_they_are():
    now = time.time()
    job = RunningJob("tune", now - 7200, now - 3600, HowFar("tune", "prompts", 1, 2, 0.5))
    assert str(job) == "tune: 1 of 2 prompts (50 %) (said about 60 minutes ago)"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"job": "a", "began": "x", "said": 1, "how_far": null}'])
def test_a_file_that_says_nothing_is_passed_over(tmp_path, content):
    (tmp_path / "tune.running").write_bytes(content)
    with open(tmp_path / "tune.running", "rb") as file:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        assert list(running.jobs(tmp_path)) == []
