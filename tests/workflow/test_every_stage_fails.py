"""Six tasks, of which one fails at each stage: its images, its validation, its loss, the memory for its answers. The study ends with its
report, status 1 and one sentence per cause; the same command again says the same and computes nothing that is there.
"""

import json
import re
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tiny_study import CONFIG, ENVIRONMENT, Finished, begin

# What no data bring about on a CPU: a loss that is no number on one task alone, and a GPU without memory for one task's images.
FAULTS = """
import importlib.abc, importlib.util, sys

def tuning(module):
    losses = module.Run._losses
    module.Run._losses = lambda run, *given: losses(run, *given) * (float("nan") if run.task.name == "wild" else 1)

def transfer(module):
    kept = module._kept
    def short_of_memory(backbone, class_names, *given):
        import torch
        if "elephant" in class_names:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return kept(backbone, class_names, *given)
    module._kept = short_of_memory

class Faults(importlib.abc.MetaPathFinder):
    wanted = {"promptatlas.training.single_task": tuning, "promptatlas.evaluation.evaluate": transfer}
    def find_spec(self, name, path, target=None):
        fault = self.wanted.pop(name, None)
        if fault is None:
            return None
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (load(module), fault(module))
        return spec

sys.meta_path.insert(0, Faults())
"""
CLASSES = {
    "unread": ("cat", "dog"), "scan": ("healthy", "tumour"), "wild": ("sea", "meadow"), "huge": ("elephant", "whale"),
    "plain": ("red thing", "blue thing"), "sound": ("dot", "line", "ring"),
}  # fmt: skip
CAUSES = {
    "unread": "none of its 12 test images can be read",
    "scan": "validation images that are drawn are of class 'healthy'",
    "wild": "coop on wild: the loss is not a number",
    "huge": "GPU memory runs out",
}
SEEDS = (1, 2)


def images(folder, task: str) -> None:
    """Noisy images of one shade per class: 8 to train on, 6 to validate on and 6 to test with."""
    random = np.random.default_rng(sorted(CLASSES).index(task))
    for number, name in enumerate(CLASSES[task]):
        for split, count in (("train", 8), ("val", 6), ("test", 6)):
            if (task, split, name) == ("scan", "val", "tumour"):
                continue
            (folder / task / split / name).mkdir(parents=True)
            for k in range(count):
                file = folder / task / split / name / f"{k}.png"
                Image.fromarray(random.normal(60 + 70 * number, 30, (32, 32, 3)).clip(0, 255).astype(np.uint8)).save(file)
                if (task, split) == ("unread", "test"):
                    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def run(study: Finished) -> subprocess.CompletedProcess:
    environment = ENVIRONMENT | {"PYTHONPATH": f"{study.folder}:{ENVIRONMENT.get('PYTHONPATH', '')}"}
    return subprocess.run(study.command(), cwd=study.folder, env=environment, text=True, capture_output=True, timeout=600)


@pytest.fixture(scope="module")
def failing(tmp_path_factory, backbone) -> tuple[Finished, subprocess.CompletedProcess]:
    study = begin(tmp_path_factory.mktemp("failing"), backbone)
    for task in CLASSES:
        images(study.folder / "images", task)
    data = {task: {"folder": f"images/{task}"} for task in CLASSES}
    data["scan"]["metric"] = "roc_auc"
    settings = {
        "coop": {"epochs": 2, "context": 2}, "softcpt": {"epochs": 2, "context": 2, "task_vectors": 2},
        "tip_adapter_f": {"epochs": 2, "alpha_steps": 5, "beta_steps": 4},
    }  # fmt: skip
    config = {key: value for key, value in CONFIG.items() if key != "tasks"} | {
        "benchmark": "own", "data": data, "methods": [*settings], "settings": settings, "seeds": list(SEEDS), "broken_pictures": "skip",
        "multitask": "leave_one_out",
    }  # fmt: skip
    (study.folder / "config.yaml").write_text(yaml.safe_dump(config))
    (study.folder / "sitecustomize.py").write_text(FAULTS)
    return study, run(study)


def sentences(done: subprocess.CompletedProcess) -> set[str]:
    """The causes that are listed at the end, each with what it kept from being computed on the next line."""
    lines = done.stderr.splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("promptatlas: "))
    told = [line for line in lines[:last] if re.match(r"  \S", line)]
    return {line.strip() for line in told}


def test_the_study_ends_with_its_report_and_one_sentence_per_cause(failing):
    study, done = failing
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "failed for the reasons above" in done.stderr.splitlines()[-1] + done.stderr and (study.results / "report.html").exists()
    told = sentences(done)
    assert len(told) == len(CAUSES) and all(sum(cause in line for line in told) == 1 for cause in CAUSES.values()), told
    assert "corrupt" not in done.stderr and "an error of the program" not in done.stderr


def test_what_does_not_need_the_failed_is_there(failing):
    tables = {name: pd.read_parquet(failing[0].results / "tables" / f"{name}.parquet") for name in ("transfer", "baselines", "tasks")}
    cells = tables["transfer"]
    prompts = cells["source"] != "template"
    lost = (cells["target"] == "unread") | (cells["source"].isin(["unread", "scan", "wild"])) | (prompts & (cells["target"] == "huge"))
    wrong = cells[cells["score"].isna() != lost][["source", "target", "seed", "failed"]]
    assert wrong.empty, wrong.to_string()
    assert ((cells["failed"] != "") == lost).all() and cells.loc[~lost, "score"].between(0, 1).all()
    others = tables["baselines"]
    for method in ("softcpt", "tip_adapter_f", "linear_probe"):
        own = others[others["method"] == method]
        assert {*own.loc[own["score"].isna(), "target"]} == {"unread", "scan"} and len(own) == len(CLASSES) * len(SEEDS)
    assert {*tables["tasks"].loc[tables["tasks"]["failed"] != "", "task"]} == {"unread"}
    record = json.loads((failing[0].results / "scores/softcpt/seed1/sound.json").read_bytes())
    assert record["left_out"] == ["scan", "unread"]


def test_the_second_run_says_the_same_and_keeps_what_is_there(failing):
    study, done = failing
    before = study.measured()
    again = run(study)
    assert again.returncode == 1 and sentences(again) == sentences(done) and study.measured() == before
    assert "0 of" in again.stderr and not re.search(r"prepare \w+ \w+ +\d+/\d+ images", again.stderr.replace("unread", ""))
