"""Kinds of change of a finished study of two tasks of one's own: what is told of each beforehand, what the next run
computes again, and that nothing is left then. Jobs are called as Snakemake calls them; one study has Snakemake itself find what a change
makes stale.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from promptatlas import NUMERICS_VERSION
from promptatlas.runs import changes, engine, export_backbone, fetch, prepare, status as survey
from promptatlas.runs.status_lines import remarks
from promptatlas.study.study import Study
from tiny_study import ENVIRONMENT, PROMPTATLAS, PYTHON, ROOT

pytestmark = pytest.mark.study

CONFIG = {
    "study": "own", "benchmark": "own", "methods": ["coop"], "seeds": [1], "shots": 2, "device": "cpu",
    "settings": {"coop": {"epochs": 1, "context": 2}}, "statistics": {"permutations": 99}, "choice": False,
    "backbone": {"model": "mini", "pretrained": "weights"},
    "data": {"a": {"folder": "images/a"}, "b": {"folder": "images/b.json", "root": "images/b"}},
}  # fmt: skip
LONGER = {"coop": {"epochs": 2, "context": 2}}
TINY = {
    "embed_dim": 32, "quick_gelu": False,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 64, "layers": 1, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}  # fmt: skip
RESULTS = ("draws", "encoded", "prompts", "probes", "cells", "tries")
BACKBONE = "the backbone"
AGAIN = "{} is {} again, because of {}"


def image(path: str, level: int, seed: int = 0) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng([level, seed]).normal(level, 12, (32, 32, 3))
    Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(path)


def write_weights(folder: Path, scale: float = 1.0) -> None:
    """An untrained mini backbone in files: what it answers does not matter here."""
    import torch
    from safetensors.numpy import save_file

    from promptatlas.backbone import export

    torch.manual_seed(0)
    weights = {name: value.numpy() for name, value in export.open_clip_model(TINY).state_dict().items()}
    table = weights.pop("token_embedding.weight")
    weights |= {"token_ids": np.arange(4), "token_rows": table[:4], "visual.proj": weights["visual.proj"] * np.float32(scale)}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(TINY | {"mean": [0.5] * 3, "std": [0.5] * 3}))
    save_file(weights, folder / "mini.safetensors")


def begin(folder: Path) -> None:
    """The data, the weights and the configuration."""
    rows: dict[str, list] = {"train": [], "test": []}
    with contextlib.chdir(folder):
        for split in rows:
            for label, (name, level) in enumerate((("cat", 60), ("dog", 190))):
                for number in range(6):
                    image(f"images/a/{split}/{name}/{number}.png", level, number)
                    image(f"images/b/{split}-{name}-{number}.png", level + 10, number)
                    rows[split].append([f"{split}-{name}-{number}.png", label, name])
        Path("images/b.json").write_text(json.dumps(rows))
        write_weights(Path("weights"))
        configure()


def configure(a: dict | None = None, b: dict | None = None, **changed) -> None:
    """a, b: what is described otherwise of a task; the others are keys of the configuration."""
    data = {"a": CONFIG["data"]["a"] | (a or {}), "b": CONFIG["data"]["b"] | (b or {})}
    Path("study.yaml").write_text(yaml.safe_dump(CONFIG | {"data": data} | changed))


def study() -> Study:
    return Study(yaml.safe_load(Path("study.yaml").read_text()))


def run() -> None:
    """Every job that a run starts, up to the cells."""
    if (found := changes.of_backbone(study())).inputs or not study().paths.backbone_record.exists():
        export_backbone.export(study(), found.mark, quiet)
    fetch.fetch(study(), quiet)
    for task in study().data.real_tasks:
        if (change := changes.of_task(study(), task)).inputs or not changes.is_prepared(study(), task):
            prepare.prepare(study(), task, 1, quiet, change.mark)
    now = study()
    for job in (now.jobs.draw, *now.jobs.encode, *now.jobs.probe, *now.jobs.tune, *now.jobs.transfer, *now.jobs.tries):
        engine.run(now, job, 1, quiet)


def quiet(line: str) -> None:
    pass


def results() -> dict[str, int]:
    """By name below the study's folder what tells whether a file was written again: Snakemake changes times alone."""
    paths = [path for kind in (*RESULTS, "tasks") for path in (study().folder / kind).rglob("*.*") if path.name != "made_from.json"]
    return {str(path.relative_to(study().folder)): path.stat().st_ino for path in paths}


def told() -> list[str]:
    """What a run, `-n` and `plan` say is made again."""
    found = changes.of_backbone(study())
    own = [f"the backbone is made again, because of {', '.join(found.told)}"] if found.inputs else []
    return own + changes.told(study(), changes.of_tasks(study()))


def stands() -> dict[str, survey.State]:
    """By name how every result stands that is not done."""
    return {str(one.path.relative_to(study().folder)): one for one in survey.states(study()) if one.kind != survey.DONE}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    begin(folder)
    with contextlib.chdir(folder):
        run()
    return folder


@pytest.fixture
def place(finished, tmp_path, monkeypatch) -> Path:
    """A copy of the finished study to be changed, as the working directory."""
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    assert stands() == {} and told() == []
    return tmp_path / "copy"


def label() -> None:
    text = Path("images/b.json").read_text()
    assert '["test-cat-0.png", 0, "cat"]' in text
    Path("images/b.json").write_text(text.replace('["test-cat-0.png", 0, "cat"]', '["test-cat-0.png", 1, "dog"]'))


def cells(*pairs: str, seed: int = 1) -> set[str]:
    return {f"cells/frozen/coop/seed{seed}/{pair}.json" for pair in pairs}


def prompts(*tasks: str, seed: int = 1) -> set[str]:
    return {f"prompts/coop/seed{seed}/{task}.safetensors" for task in tasks}


def all_of(task: str, seed: int = 1) -> set[str]:
    return cells(*(f"{task}/{source}" for source in ("a", "b", "scratch", "template")), seed=seed)


# What is made from the features of a task.
FEATURES = {task: {f"encoded/{task}.safetensors", f"probes/{task}.json"} for task in "ab"}
PROBES = {"probes/a.json", "probes/b.json"}
ALL = FEATURES["a"] | FEATURES["b"] | prompts("a", "b") | all_of("a") | all_of("b")

# The change; by task what is told to differ; which results are written again.
KINDS = {
    "image moved": (
        lambda: os.rename("images/a/test/cat/1.png", "images/a/test/dog/y.png"), {"a": "image files (1 moved)"},
        FEATURES["a"] | all_of("a"),
    ),
    "image added": (
        lambda: image("images/a/test/cat/new.png", 66, 9), {"a": "image files (1 added)"}, FEATURES["a"] | all_of("a"),
    ),
    "image removed": (
        lambda: os.remove("images/a/test/cat/1.png"), {"a": "image files (1 removed)"}, FEATURES["a"] | all_of("a"),
    ),
    "image replaced": (
        lambda: image("images/a/test/dog/3.png", 120, 9), {"a": "image files (1 replaced)"}, FEATURES["a"] | all_of("a"),
    ),
    "training images replaced": (
        lambda: [image(f"images/a/train/cat/{number}.png", 90, number) for number in range(6)], {"a": "image files (6 replaced)"},
        FEATURES["a"] | prompts("a") | cells("a/a", "b/a"),
    ),
    "label file": (label, {"b": "label files (1 replaced)"}, FEATURES["b"] | all_of("b")),
    "class name": (
        lambda: configure(a={"classes": [["lynx", "cat"], "dog"]}), {"a": "classes"},
        FEATURES["a"] | prompts("a") | all_of("a") | cells("b/a"),
    ),
    "template": (
        lambda: configure(b={"templates": ["a clear photo of a {}."]}), {"b": "templates"}, FEATURES["b"] | prompts("b") | all_of("b"),
    ),
    "metric": (
        lambda: configure(b={"metric": "mean_per_class"}), {"b": "metric"}, {"probes/b.json"} | prompts("b") | all_of("b"),
    ),
    "split": (
        lambda: configure(a={"splits": {"train": "train", "test": "test", "validation": "test"}}), {"a": "splits"},
        {"draws/shots2-seed1/a.json"} | FEATURES["a"] | prompts("a") | cells("a/a", "b/a"),
    ),
    "shots": (
        lambda: configure(shots=1), {"a": "shots", "b": "shots"},
        {"draws/shots1-seed1/a.json", "draws/shots1-seed1/b.json"} | PROBES | prompts("a", "b") | cells("a/a", "a/b", "b/a", "b/b"),
    ),
    "seed": (
        lambda: configure(seeds=[1, 2]), {"a": "seeds", "b": "seeds"},
        {"draws/shots2-seed2/a.json", "draws/shots2-seed2/b.json"} | PROBES
        | prompts("a", "b", seed=2) | all_of("a", seed=2) | all_of("b", seed=2),
    ),
    "method setting": (
        lambda: configure(settings=LONGER), {},
        prompts("a", "b") | cells(*(f"{target}/{source}" for target in "ab" for source in ("a", "b", "scratch"))),
    ),
    "choice": (
        lambda: configure(choice={"draws": 1, "shots": [1]}), {"a": "choice", "b": "choice"},
        {"tries/coop/a.safetensors", "tries/coop/b.safetensors"},
    ),
    "backbone file": (lambda: write_weights(Path("weights"), 1.01), {BACKBONE: "backbone file (1 replaced)"}, ALL),
    "library numerics": (lambda: None, {"a": "library numerics", "b": "library numerics"}, ALL),
    "title": (lambda: configure(a={"title": "Animals"}), {"a": "title"}, set()),
    "times": (lambda: [os.utime(path, (1, 1)) for path in Path("images").rglob("*.png")], {}, set()),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_told_before_and_exactly_what_it_touches_is_computed_again(place, monkeypatch, kind):
    act, differs, expected = KINDS[kind]
    before = results()
    act()
    if kind == "library numerics":
        for module in [module for name, module in sys.modules.items() if name.startswith("promptatlas")]:
            if hasattr(module, "NUMERICS_VERSION"):
                monkeypatch.setattr(module, "NUMERICS_VERSION", NUMERICS_VERSION + 1)
    named = {what: (BACKBONE, "made") if what == BACKBONE else (f"task {what}", "prepared") for what in differs}
    assert told() == [AGAIN.format(*named[what], why) for what, why in differs.items()]
    beforehand = stands()
    records = {"backbone/sha256.json" if what == BACKBONE else f"tasks/{what}/task.json": (why,) for what, why in differs.items()}
    assert {name: one.why for name, one in beforehand.items() if name.startswith(("tasks", "backbone"))} == records
    assert results() == before
    run()
    after = results()
    written = {name for name in after if after[name] != before.get(name)}
    made = {name for name in written if not name.startswith("tasks")}
    assert made == expected
    assert {name.split("/")[1] for name in written - made} == {*differs} - {BACKBONE}
    sure = {name for name, one in beforehand.items() if not one.open and name.startswith(RESULTS)}
    assert sure <= made <= beforehand.keys()
    unsure = sum(one.open for one in beforehand.values())
    assert [f"made again first: {unsure};" in line for line in remarks(beforehand.values())] == ([False, True] if unsure else [])
    assert stands() == {} and told() == []


METRIC = """
from promptatlas.tasks.metrics import Metric, register

register(Metric(name="right", title="share of right answers", chance=lambda labels, classes: 1 / classes, mean_over="images"))
"""


def test_other_code_of_a_metric_of_ones_own_touches_what_is_scored_by_it(place):
    """Prompts as well: their epochs are chosen by it. Nothing of the metric's name or description has changed."""
    Path("right.py").write_text(METRIC)
    configure(b={"metric": "right"}, plugins=["right.py"])
    run()
    assert stands() == {} and told() == []
    before, asked = results(), study().provenance("coop")
    Path("right.py").write_text(METRIC.replace('"images"', '"classes"'))
    expected = {"probes/b.json"} | prompts("b") | all_of("b")
    assert {name for name, one in stands().items() if not one.open} == expected and study().provenance("coop") != asked
    run()
    assert {name for name, number in results().items() if number != before.get(name)} == expected
    assert stands() == {} and told() == []
    configure()
    assert "metrics" not in study().provenance("coop")


def snakemake(*arguments: str) -> str:
    command = [PYTHON, "-m", "snakemake", "collect", "probe", "-s", str(ROOT / "Snakefile"), "--cores", "2", "--configfile", "study.yaml"]
    done = subprocess.run([*command, *arguments], env=ENVIRONMENT, text=True, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def status() -> tuple[int, str]:
    done = subprocess.run([PROMPTATLAS, "status", "--configfile", "study.yaml"], env=ENVIRONMENT, text=True, capture_output=True)
    return done.returncode, done.stdout


def everything_is_done() -> bool:
    """But the last tables and the page, which these runs do not ask for: `status` says that, and nothing else."""
    code, shown = status()
    counts = re.findall(r"^(\S.*?) +(\d+) +(\d+) +(\d+) +(\d+)", shown, re.MULTILINE)
    left = {what for what, _, *others in counts if others != ["0"] * 3}
    return code == 5 and len(counts) > 5 and left == {"tables and report"}


def test_the_very_next_run_of_snakemake_and_a_dry_one_know_of_changes(tmp_path, monkeypatch):
    """Changes of files, of what is described and of what Snakemake itself keeps, in two runs; then a copy that lost its times."""

    def changed(lines: set[str], said: str) -> set[str]:
        """What a run wrote again after a dry one and `status` had told of it."""
        before, dry, (code, shown) = results(), snakemake("-n"), status()
        assert {line.partition(": ")[2] for line in dry.splitlines() if " again, because of " in line} == lines
        assert "Nothing to be done" not in dry and code == 4 and re.search(said, shown) and results() == before
        snakemake()
        after = results()
        assert "Nothing to be done" in snakemake("-n") and everything_is_done()
        return {name for name in after if after[name] != before.get(name) and not name.startswith("tasks")}

    (tmp_path / "first").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    begin(tmp_path / "first")
    snakemake()
    KINDS["image moved"][0]()
    configure(b={"templates": ["a clear photo of a {}."]})
    again = {AGAIN.format("task a", "prepared", "image files (1 moved)"), AGAIN.format("task b", "prepared", "templates")}
    both = FEATURES["a"] | FEATURES["b"] | prompts("b") | all_of("a") | all_of("b")
    assert changed(again, r"prepared tasks +0 +0 +2 +0 +image files \(1 moved\) \(1\), templates \(1\)") == both
    configure(b={"templates": ["a clear photo of a {}."]}, settings=LONGER)
    assert changed(set(), r"prompts coop +0 +0 +2 +0 +settings \(2\)") == KINDS["method setting"][2]
    shutil.copytree(".", tmp_path / "copy", ignore=shutil.ignore_patterns(".snakemake"), copy_function=shutil.copyfile)
    monkeypatch.chdir(tmp_path / "copy")
    before = results()
    assert everything_is_done() and not [line for line in snakemake().splitlines() if " again, because of " in line]
    assert {name for name, file in results().items() if file != before[name] and not name.startswith("tasks")} == set()
    assert "Nothing to be done" in snakemake("-n")
