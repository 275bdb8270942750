"""A finished study of the CPU on the device, by the library's own jobs: its prompts on all targets, then everything tuned anew."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpu_parts.ledger import Ledger
from gpu_parts.scene import Scene, distance
from promptatlas.backbone import feature_file
from promptatlas.records import cells
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.runs import engine
from promptatlas.study.study import Study


def measure(scene: Scene, ledger: Ledger) -> None:
    if scene.study is None:
        ledger.row("left out", why="no finished study was given")
        return
    with tempfile.TemporaryDirectory() as folder:
        study = _placed(scene.study, Path(folder), scene.device)
        shutil.copytree(scene.study / "prompts", study.folder / "prompts")
        ledger.attempt("encoding", partial(_encoded, study, scene.study, scene.mini))
        ledger.attempt("prompts of the CPU", partial(_kept, study))
        for method in study.methods:
            ledger.attempt(f"its prompts, {method}", partial(_filled, study, scene.study, method))
        for part in ("prompts", "cells", "resume"):
            shutil.rmtree(study.folder / part, ignore_errors=True)
        for method in study.methods:
            ledger.attempt(f"tuned anew, {method}", partial(_tuned, study, scene.study, method))


def _placed(finished: Path, folder: Path, device: str) -> Study:
    """The same study in another folder and on another device; what others prepared is copied."""
    given = {"study": finished.name, "results": str(folder), "device": device}
    given["tasks"] = sorted(path.name for path in (finished / "tasks").iterdir())
    study = Study(given)
    for part in ("tasks", "draws"):
        shutil.copytree(finished / part, study.folder / part)
    return study


def _encoded(study: Study, finished: Path, model: Any) -> dict[str, Any]:
    from promptatlas.backbone import export

    export.export("mini", "mini", study.paths.backbone_folder)
    for job in study.jobs.encode:
        engine.run(study, job, torch.get_num_threads(), print)
    apart = []
    for name in study.tasks:
        path = finished / study.paths.encoded(name).relative_to(study.folder)
        if path.exists():
            own, theirs = feature_file.load(study.paths.encoded(name))[0], feature_file.load(path)[0]
            apart += [distance(own[key], theirs[key]) for key in theirs]
    return {"distance": max(apart, default=None), "tasks": len(study.tasks)}


def _kept(study: Study) -> dict[str, Any]:
    """That what was tuned on the CPU holds: no prompt is trained again."""
    said: list[str] = []
    for job in study.jobs.tune:
        engine.run(study, job, torch.get_num_threads(), said.append)
    return {"said": [line for line in said if " of " in line]}


def _filled(study: Study, finished: Path, method: str) -> dict[str, Any]:
    for job in study.jobs.transfer:
        if job.method == method:
            engine.run(study, job, torch.get_num_threads(), lambda _: None)
    return _cells(study, finished, method)


def _tuned(study: Study, finished: Path, method: str) -> dict[str, Any]:
    for job in study.jobs.tune:
        if job.method == method:
            engine.run(study, job, torch.get_num_threads(), lambda _: None)
    prompts = sorted((study.folder / "prompts" / method).glob("*/*.safetensors"))
    pairs = [[TunedPrompt.load(path)[0] for path in (one, finished / one.relative_to(study.folder))] for one in prompts]
    held = [max(distance(a.prompts.tensors()[name], value) for name, value in b.prompts.tensors().items()) for a, b in pairs]
    first = [abs(a.history[0]["loss"] / b.history[0]["loss"] - 1) for a, b in pairs]
    return {
        "prompts": len(pairs), "other best epoch": sum(a.best_epoch != b.best_epoch for a, b in pairs),
        "distance, median": float(np.median(held)), "distance, most": float(max(held)), "loss of the first epoch": float(max(first)),
    } | _filled(study, finished, method)  # fmt: skip


def _cells(study: Study, finished: Path, method: str) -> dict[str, Any]:
    """In points of score: how far the device's cells lie from the CPU's."""
    paths = sorted((study.folder / "cells").glob(f"*/{method}/*/*/*.json"))
    pairs = [(cells.read(one), json.loads((finished / one.relative_to(study.folder)).read_bytes())) for one in paths]
    tuned = [(a, b) for a, b in pairs if a["source"] not in ("scratch", "template")]
    points = 100 * np.array([a["score"] - b["score"] for a, b in tuned])
    return {
        "cells": len(pairs), "without a score": sum(a["score"] is None for a, _ in pairs), "same score": int((points == 0).sum()),
        "tuned cells": len(points), "rms": float(np.sqrt((points**2).mean())), "mean": float(points.mean()),
        "largest": float(np.abs(points).max()),
        "calibration, largest": float(max(100 * abs(a["score"] - b["score"]) for a, b in pairs if (a, b) not in tuned)),
    }  # fmt: skip
