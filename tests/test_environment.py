"""The pinned environment is complete, agrees with its conda twin, and names no place to download from."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
REQUIREMENTS = (ROOT / "envs" / "requirements.txt").read_text()
GROUPS = {name: (ROOT / "envs" / f"{name}.txt").read_text() for name in ("lint", "docs")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pinned(lock: str) -> dict[str, set[str]]:
    """Package name to its pinned versions (several where they differ by platform)."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def declared() -> list[tuple[str, str]]:
    """Lock file and dependency, for each that pyproject.toml names."""
    run = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values(), PROJECT["build-system"]["requires"]]
    return [(REQUIREMENTS, line) for part in run for line in part] + [
        (lock, line) for name, lock in GROUPS.items() for line in PROJECT["dependency-groups"][name]
    ]


@pytest.mark.parametrize(("lock", "line"), declared(), ids=[Requirement(line).name for _, line in declared()])
def test_every_declared_dependency_is_pinned_within_its_bounds(lock, line):
    requirement = Requirement(line)
    versions = pinned(lock).get(canonicalize_name(requirement.name), set())
    assert versions and all(requirement.specifier.contains(version) for version in versions)


def test_every_group_has_a_lock():
    assert {*GROUPS} == {*PROJECT["dependency-groups"]}


@pytest.mark.parametrize(
    ("into", "group"), [(REQUIREMENTS, "lint"), (REQUIREMENTS, "docs"), (GROUPS["lint"], "docs")], ids=["lint", "docs", "docs with lint"]
)
def test_a_group_changes_no_version_of_the_environment_it_is_put_into(into, group):
    run, more = pinned(into), pinned(GROUPS[group])
    assert len({*run} & {*more}) > 1 and all(more[name] <= run[name] for name in {*run} & {*more})


def test_every_dependency_says_why_it_is_there():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    wanted = [line for line in lines if re.match(r'  "[a-z0-9_-]+>=', line, re.IGNORECASE)]
    assert wanted and all("# " in line for line in wanted)


@pytest.mark.parametrize("lock", [REQUIREMENTS, *GROUPS.values()], ids=["requirements", *GROUPS])
def test_every_pin_carries_hashes(lock):
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    assert sum("==" in block for block in blocks) > 3
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)


@pytest.mark.parametrize("name", ["requirements.txt", "lint.txt", "docs.txt", "uv.txt", "environment.yaml"])
def test_no_download_address_is_stored(name):
    text = (ROOT / "envs" / name).read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_conda_file_has_the_same_versions():
    conda = yaml.safe_load((ROOT / "envs" / "environment.yaml").read_text())
    listed = next(part["pip"] for part in conda["dependencies"] if isinstance(part, dict))
    pins = {line.rstrip(" \\") for line in REQUIREMENTS.splitlines() if re.match(r"[A-Za-z0-9]", line)}
    assert set(listed) == pins


def test_uv_is_pinned_with_hashes():
    text = (ROOT / "envs" / "uv.txt").read_text()
    assert re.match(r"uv==[\d.]+ ", text) and text.count("--hash=sha256:") > 1


def test_the_hooks_of_pre_commit_run_what_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    hooks = [hook for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"] for hook in repo["hooks"]]
    assert recipe and {hook["entry"] for hook in hooks} == {line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()}
    assert all(hook["language"] == "system" for hook in hooks)
