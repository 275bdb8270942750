"""The README stays true: its commands run, and those of the pages that go on from it; its numbers are those of a real run."""

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest

from starts import BIN, REAL
from tiny_study import ENVIRONMENT, ROOT

README = (ROOT / "README.md").read_text()
FOUND = (ROOT / "docs" / "default-study.md").read_text()
# Pages whose commands are typed here, in this order; test_documentation.py has an eye on those of all others.
PAGES = [
    "README.md", "docs/tutorial.md", "docs/rerun.md", "docs/plan.md", "docs/publish.md", "docs/published.md", "docs/prompts.md",
    "CONTRIBUTING.md",
]  # fmt: skip


def commands(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.S)
    return [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines() if line]


COMMANDS = list(dict.fromkeys(line for page in PAGES for line in commands(page)))
MADE = [line for line in COMMANDS if line.startswith("make ")]
TYPED = [line for line in COMMANDS if not line.startswith(("make ", ". ", "OMP_NUM_THREADS"))]


def test_every_table_that_a_study_writes_is_explained_with_its_columns(finished):
    sections = re.split(r"^## `(\w+)`$", (ROOT / "docs" / "tables.md").read_text(), flags=re.MULTILINE)[1:]
    explained = dict(zip(sections[::2], sections[1::2], strict=True))
    written = {path.stem: pd.read_parquet(path) for path in (finished.results / "tables").glob("*.parquet")}
    assert len(written) > 7 and {*written} <= {*explained}
    assert [(name, column) for name, table in written.items() for column in table if f"`{column}`" not in explained[name]] == []


MEASURES = {
    "factor_overlap": "known overlap of factors",
    "vis_frechet": "similarity of images",
    "lab_cover": "similarity of labels",
}


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    """The project as a user has it, with the tiny study, already run, in place of the default one."""
    import shutil

    folder = tmp_path_factory.mktemp("readme") / "study"
    shutil.copytree(finished.folder, folder)
    for name in ("Snakefile", "workflow", "profiles"):
        (folder / name).symlink_to(ROOT / name)
    drawing = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "tutorial.md").read_text(), re.S)
    assert drawing
    (folder / "draw.py").write_text(drawing[1])
    subprocess.run([sys.executable, "draw.py"], cwd=folder, check=True)
    return folder


def test_the_commands_are_found():
    assert {*MADE} == {"make study", "make test", "make test-fast", "make lint", "make docs", "make bench"} and len(TYPED) >= 11


@pytest.mark.parametrize("command", MADE)
def test_make_knows_its_entry_points(command):
    shown = subprocess.run(f"{command} --dry-run", shell=True, cwd=ROOT, text=True, capture_output=True)
    runs = {"study": "snakemake", "test": "pytest", "test-fast": "pytest", "lint": "ruff check", "docs": "mkdocs build --strict"}
    runs |= {"bench": "benchmarks/bench.py"}
    assert shown.returncode == 0 and runs[command.split()[1]] in shown.stdout


@pytest.mark.parametrize("command", TYPED)
def test_a_command_of_the_readme_runs(folder, command):
    commands = REAL.parent if command == TYPED[0] else BIN
    path = os.pathsep.join([str(commands), str(REAL.parent), os.environ["PATH"]])
    typed = command.replace("results/mini", "results/tiny")
    done = subprocess.run(typed, shell=True, cwd=folder, env=ENVIRONMENT | {"PATH": path}, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    if "example.yaml" in command:
        assert (folder / "results" / "example" / "report.html").exists()


def test_the_numbers_are_those_of_the_recorded_run():
    """docs/mini.json is the summary.json of the run whose figures the README and docs/default-study.md quote."""
    summary = json.loads((ROOT / "docs" / "mini.json").read_text())
    gains = {row["method"]: row["own_gain_points_mean"] for row in summary["by_method"]}
    for method, name in (("coop", "CoOp"), ("vpt", "VPT"), ("upt", "UPT")):
        assert all(f"{name} +{gains[method]:.1f}" in text for text in (README, FOUND))
    assert all(f"{100 * summary['zero_shot_chance_corrected_mean']:.0f} %" in text for text in (README, FOUND))
    rows = {(row["measure"], row["method"]): row for row in summary["correlations"] if row["response"] == "logit_gain"}
    assert {(measure, method) for measure, method in rows} >= {(m, k) for m in MEASURES for k in gains}
    for measure, line in MEASURES.items():
        shown = next(text for text in FOUND.splitlines() if text.startswith(f"| {line} |"))
        for method, cell in zip(("coop", "vpt", "upt"), shown.split("|")[2:5], strict=True):
            row = rows[measure, method]
            estimate = f"{short(row['estimate'])} ({short(row['low'])} to {short(row['high'])})"
            assert cell.strip() == f"{estimate}, {p_value(row['p'])}, {p_value(row['p_blocks'])}"


SENTENCES = {
    "helps": "A prompt of another task helps in {} of the pairs: it beats both the target's zero-shot score and the untuned prompt, "
    "in every seed.",
    "every_seed_over_zero_shot": "Zero-shot alone is beaten in {} in every seed",
    "mean_over_zero_shot": "in every seed and in {} on the mean of seeds",
}


def test_the_sentences_on_help_and_on_what_is_established_are_those_of_the_recorded_run():
    words = " ".join(FOUND.split())
    summary, nearest = recorded("mini.json")
    assert SENTENCES["helps"].format(f"{shares(summary, 'helps')} %") in " ".join(README.split())
    for count, sentence in SENTENCES.items():
        assert sentence.format(f"{shares(summary, count)} %") in words
    assert f"nothing is (similarity of images comes nearest, p = {nearest})" in words


def test_they_hold_on_the_other_kind_of_cpu_too():
    summary, nearest = recorded("mini_avx2.json")
    first, second, third = (shares(summary, count) for count in SENTENCES)
    assert f"the shares are {first}, {second} and {third} %, and p = {nearest}" in " ".join(FOUND.split())


def recorded(name: str) -> tuple[dict, str]:
    """A recorded summary in which nothing is established, and the p of what comes nearest."""
    summary = json.loads((ROOT / "docs" / name).read_text())
    confirmatory = [one for one in summary["correlations"] if one["confirmatory"]]
    nearest = min(confirmatory, key=lambda one: one["p_holm"])
    assert not any(one["established"] for one in confirmatory) and nearest["measure"] == "vis_frechet"
    return summary, short(nearest["p_holm"])


def shares(summary: dict, count: str) -> str:
    """Of the pairs, over the methods, in percent."""
    found = [100 * one["transfer_helps"][count] for one in summary["by_method"]]
    return f"{min(found):.0f} to {max(found):.0f}"


def short(value: float) -> str:
    """.24 for 0.2361, -.06 for -0.0554, .00 for what rounds to zero."""
    return f"{value:.2f}".replace("0.", ".", 1).replace("-.00", ".00")


def p_value(value: float) -> str:
    return f"{value:.4f}".rstrip("0").replace("0.", ".", 1)
