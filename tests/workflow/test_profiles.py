"""The profiles are found where a workflow has them and where Snakemake looks for the one that it takes by itself."""

import json
import subprocess
import sys

import pytest
import yaml

from tiny_study import CONFIG, ENVIRONMENT, ROOT

ASKED = "import json, sys; from snakemake.cli import parse_args; print(json.dumps(vars(parse_args(sys.argv[1:])[1]), default=str))"
pytestmark = pytest.mark.study

PLACES = ("workflow/profiles", "profiles")


def typed(*command: str) -> subprocess.CompletedProcess:
    """What somebody types in the project's folder."""
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=ENVIRONMENT, text=True, capture_output=True)


def options(*arguments: str) -> dict:
    """What Snakemake makes of a command line and the profiles that it finds."""
    done = typed("-c", ASKED, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("place", PLACES)
def test_a_cluster_profile_comes_on_top_of_the_default_one(place):
    found = options("--profile", f"{place}/slurm")
    assert found["executor"] == "slurm" and found["retries"] == 2
    assert found["keep_going"] and found["nolock"] and found["rerun_incomplete"] and found["scheduler"] == "greedy"


def test_the_default_profile_is_taken_without_being_named():
    found = options("--cores", "2")
    assert found["executor"] != "slurm" and found["keep_going"] and found["nolock"] and found["rerun_incomplete"]


def test_a_dry_run_with_the_cluster_profile_plans_the_study(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    arguments = ("--profile", "workflow/profiles/slurm", "--directory", str(tmp_path), "--dry-run")
    done = typed("-m", "snakemake", *arguments)
    assert done.returncode == 0, done.stderr
    assert "transfer_frozen_coop" in done.stdout and "profiles/default" in done.stderr
