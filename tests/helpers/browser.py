"""A page as its own script has it, and as Chromium shows it."""

import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CONFIG = {"study": "mini", "results": "results", "backbone": {"model": "mini", "pretrained": "mini"}}


def embedded(path) -> dict:
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.S)
    return json.loads(block[1])


def browse(path, tmp_path, address="") -> str:
    """The page's document after its scripts have run."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=4000", "--enable-logging=stderr", "--dump-dom", f"file://{path}{address}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "Uncaught" in line]
    assert not errors, errors
    return done.stdout


def needs_browser(test):
    return pytest.mark.browser(pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")(test))
