"""Names are data: whatever they hold, a study runs to its end or is refused in one sentence, and nothing is executed."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tiny_study import CONFIG, ROOT, Finished

RESULTS = "-rf; $(touch pwned) `touch pwned` 'é\" 日本 & | > pwned"
STUDY = "help.--_..x"
TASK = "0-.--rm_-rf..X"
IMAGES = "images; touch pwned 'x' \"y\" $(touch pwned) {0} {wildcards} ü\n"
CLASSES = ("-rf ; touch pwned", "$(touch pwned) {} {x}", "<img src=x onerror=alert(1)>", "日本 'a' \"b\" \\ %s *")
LATIN = os.fsdecode(b"caf\xe9; $(touch pwned).png")
TITLE = "</script><script>alert(1)</script> {} $(touch pwned)"


@pytest.fixture(scope="module")
def nasty(backbone, tmp_path_factory) -> Finished:
    """A finished study in which nearly every name is meant to do harm."""
    study = Finished(tmp_path_factory.mktemp("it's; $(touch pwned)") / "a b'c\"; touch pwned")
    rng = np.random.default_rng(0)
    for split, number in (("train", 4), ("test", 3)):
        for shade, name in enumerate(CLASSES):
            folder = study.folder / IMAGES / split / name
            folder.mkdir(parents=True)
            for image in range(number):
                noise = rng.normal(60 * shade, 20, (20, 20, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(noise).save(folder / f"-{image} ; $(touch pwned) '\".png")
            Image.fromarray(255 - noise).save(folder / LATIN)
    described = {TASK: {"folder": IMAGES, "title": TITLE, "family": "<b>&", "templates": ["a $(touch pwned) `x` {}."]}}
    study.configure(study=STUDY, results=RESULTS, tasks=[TASK, "shapes"], data=described, methods=["coop"])
    shutil.copytree(backbone, study.folder / RESULTS / STUDY / "backbone")
    study.run()
    return study


def test_a_study_of_nasty_names_runs_to_its_end(nasty):
    results = nasty.folder / RESULTS / STUDY
    transfer = pd.read_parquet(results / "tables" / "transfer.parquet")
    assert set(transfer["target"]) == {TASK, "shapes"} and transfer["score"].notna().all()
    task = json.loads((results / "tasks" / TASK / "task.json").read_text())["task"]
    assert set(task["class_names"]) == {" ".join(name.split()) for name in CLASSES} and task["title"] == TITLE
    factors = pd.read_parquet(results / "tasks" / TASK / "factors.parquet")
    assert factors["name"].str.endswith(r"caf\xe9; $(touch pwned).png").sum() == len(CLASSES) * 2
    assert "Nothing to be done" in nasty.run()


def test_nothing_is_executed_and_nothing_is_written_elsewhere(nasty):
    assert not [path for path in nasty.folder.parent.rglob("*") if path.name == "pwned"]
    assert {path.name for path in nasty.folder.iterdir()} == {".snakemake", "config.yaml", IMAGES, RESULTS}
    assert [path.name for path in nasty.folder.parent.iterdir()] == [nasty.folder.name]
    assert {path.name for path in (nasty.folder / RESULTS).iterdir()} == {STUDY} and not Path("pwned").exists()


def test_the_report_shows_names_and_runs_none(nasty):
    report = (nasty.folder / RESULTS / STUDY / "report.html").read_text()
    assert "alert(1)" in report and "<script>alert(1)" not in report and "<img src=x" not in report


@pytest.mark.parametrize("name", ["a b", "a'b", "a;b", "-rf", "..", "a/b", "ä", "", "a\n", "a\0b", "x" * 51, "scratch", "a@base", "{x}"])
@pytest.mark.study
def test_names_that_could_be_mistaken_are_refused_before_any_job(tmp_path, name):
    study = Finished(tmp_path)
    study.configure(benchmark="own", tasks="all", data={name: {"folder": "a"}, "other": {"folder": "b"}})
    sentence = study.fails("--dry-run")
    assert "`data" in sentence or "called too much like" in sentence
    assert {path.name for path in tmp_path.iterdir()} <= {"config.yaml", ".snakemake"}


def test_no_name_can_meet_a_shell():
    rules = "\n".join(path.read_text() for path in [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")])
    assert "script:" in rules and not re.search(r"^\s*(shell|run):|shell\(", rules, re.MULTILINE)
    library = "\n".join(path.read_text() for path in (ROOT / "workflow").rglob("*.py"))
    plugin = 'exec(compile(content, str(path), "exec"), made.__dict__)'  # a file of code that the configuration names as such
    assert library.count(plugin) == 1
    library = library.replace(plugin, "")
    assert not re.search(r"shell\s*=\s*True|os\.(system|popen)\(|getoutput\(|(?<![\w.])(eval|exec)\(", library)


def test_names_that_differ_in_punctuation_only_would_be_one_job():
    from promptatlas.base.errors import UserError
    from promptatlas.study.configuration import complete

    with pytest.raises(UserError, match=r"`a-B` is called too much like the task `a\.b`"):
        complete(CONFIG | {"tasks": ["a.b", "a-B"], "data": {"a.b": {"folder": "x"}, "a-B": {"folder": "y"}}})
