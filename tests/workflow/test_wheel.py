"""The wheel brings the workflow: in a folder without a checkout a study is begun, planned and computed."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from starts import ENVIRONMENT, PYTHON
from tiny_study import PROMPTATLAS, ROOT

pytestmark = pytest.mark.study


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """What installing the wheel puts beside the other packages."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def promptatlas(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    words = [PROMPTATLAS, *arguments]
    return subprocess.run(words, cwd=folder, env=ENVIRONMENT | {"PYTHONPATH": str(installed)}, text=True, capture_output=True)


def test_it_holds_all_that_rules_name_and_nothing_of_the_tests(installed):
    share = installed / "promptatlas" / "share"
    for folder in ("rules", "scripts", "schemas", "report", "studies", "pretraining"):
        there = {path.name for path in (ROOT / "workflow" / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        assert {path.name for path in (share / "workflow" / folder).rglob("*") if path.is_file()} == there
    assert all((share / name).exists() for name in ("Snakefile", "envs/environment.yaml", "profiles/default/profile.yaml"))
    assert {path.name for path in (share / "docs").iterdir()} == {path.name for path in (ROOT / "docs").iterdir()}
    library = ROOT / "workflow" / "promptatlas"
    ours = {path.relative_to(library) for path in library.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    theirs = {path.relative_to(installed / "promptatlas") for path in (installed / "promptatlas").rglob("*") if path.is_file()}
    assert {path for path in theirs if path.parts[0] != "share"} == ours and Path("py.typed") in theirs
    assert not any("tests" in path.parts for path in theirs)


def test_a_new_study_in_an_empty_folder_is_checked_planned_and_begun(installed, tmp_path):
    made = promptatlas(installed, tmp_path, "new", "mine")
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "mine"
    where = promptatlas(installed, folder, "snakefile").stdout.strip()
    assert Path(where) == installed / "promptatlas" / "share" / "Snakefile"
    looked = promptatlas(installed, folder, "check", "--no-time")
    assert looked.returncode == 0 and "5 embedded tasks need no look" in looked.stdout
    ahead = promptatlas(installed, folder, "run", "--dry-run")
    assert ahead.returncode == 0 and "5 of 5 prompts are missing" in ahead.stderr, ahead.stderr
    run = promptatlas(installed, folder, "run", "--cores", "1", "results/mine/tasks/letters/task.json")
    assert run.returncode == 0 and (folder / "results/mine/tasks/letters/task.json").exists(), run.stderr
    manual = installed / "promptatlas" / "share" / "docs"
    assert str(manual) in promptatlas(installed, folder, "--help").stdout
    (folder / "empty").mkdir()
    assert f"see {manual / 'data.md'}" in promptatlas(installed, folder, "check", "empty").stdout
    status = promptatlas(installed, folder, "status")
    assert status.returncode == 5 and "mine in results/mine" in status.stdout


def test_another_workflow_takes_it_as_a_module(installed, tmp_path):
    """As docs/folder.md writes it."""
    (snippet,) = re.findall(r"```python\n([^`]*^module atlas:.*?)```", (ROOT / "docs" / "folder.md").read_text(), re.S | re.M)
    (tmp_path / "Snakefile").write_text(snippet)
    (tmp_path / "config.yaml").write_text("study: mine\ntasks: [shapes, colors]\nmethods: [coop]")

    def snakemake(*arguments: str) -> str:
        words = [PYTHON, "-m", "snakemake", *arguments, "--cores", "1"]
        done = subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT | {"PYTHONPATH": str(installed)}, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "atlas_tune_coop" in snakemake("--dry-run")
    snakemake("atlas_draw")  # a job finds what it is to do though its rule is called otherwise here
    assert len(list((tmp_path / "results/mine/draws").rglob("shapes.json"))) == 3
