"""From images and prompts to an answer: which prompt to use on these images, or none.

>>> found = promptatlas.recommend("my_images", ["results/mini"], output="chosen")
>>> print("\\n".join(found.lines()))
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from promptatlas.analysis.choice.decision import decide
from promptatlas.analysis.choice.evidence import Candidate, Evidence
from promptatlas.base.errors import UserError
from promptatlas.base.progress import Say
from promptatlas.recommendation import candidates, files, frozen, labelled, overlap, record, trying, tuning, words
from promptatlas.recommendation.labelled import Labelled, Wanted
from promptatlas.recommendation.result import Recommendation
from promptatlas.recommendation.trying import Tried


def recommend(
    images: str | Path | Mapping[str, Any] | None = None,
    sources: Sequence[str | Path] | str | Path = (),
    *,
    task: str | None = None,
    templates: Sequence[str] = (),
    classes: Sequence[str | Sequence[str]] = (),
    shots: int | None = None,
    seed: int = 0,
    tune: int = 0,
    margin: float | None = None,
    backbone: str | Path | None = None,
    data_root: str | Path = "data",
    output: str | Path | None = None,
    device: str = "cpu",
    say: Say = lambda line: None,
) -> Recommendation:
    """Try prompts on a few labelled images and say which to use on such images, or none. UserError for what cannot be answered.

    images: a folder with one folder of images per class, inside `train` and `val` if they are split (what is in `test` is not
    looked at), a list (.json, .csv), a description (.yaml) or what it says; task: a known task, whose images are below `data_root` or in
    `images`, or the name of what is described. sources: finished studies,
    archives of `promptatlas pack`, folders of prompt files. templates, classes: as under `data` in a configuration. shots: images per
    class at most, drawn with `seed`; None: 16, and 2,000 in all. tune: how many candidates to tune on the images besides an untrained
    prompt. margin: standard errors by which a prompt has to beat the zero-shot one; None: the study's own, or 1. backbone: the frozen
    model's folder, if it does not lie beside the prompts. output: a folder for recommendation.json, candidates.csv and the prompt.
    """
    if tune < 0:
        raise UserError(f"--tune must be at least 1, not {tune}")
    entry = labelled.describe(images, task, templates, classes)
    with tempfile.TemporaryDirectory(prefix="promptatlas-") as folder:
        scratch = Path(folder)
        found = candidates.collect([sources] if isinstance(sources, (str, Path)) else sources, scratch / "archives")
        model, where = frozen.find(found, backbone, scratch / "backbone", device)
        frozen.keep_own(found, model)
        wanted = Wanted.by(model, shots, seed)
        if entry is None:
            target = labelled.embedded(str(task), wanted)
        else:
            target = labelled.read(entry, Path(data_root).expanduser(), scratch, wanted, say)
        overlap.leave_out_own(found, target.task, target.images, task is not None)
        with torch.no_grad():
            tried = trying.try_all(model, target, found, say)
        told = record.of(found.places, {file.method for file in tried.files}, target.shots)
        whose = told.margin_from if margin is None else "as asked for"
        decision = decide(evidence(target, tried, seed), told.margin if margin is None else margin)
        tuned = tuning.tune(model, target, tried, tune, seed, scratch / "task", say) if tune else None
        own = None if where == scratch / "backbone" else where
        answer = Recommendation(target, found, tried, decision, whose, told, tuned, own)
        if output is not None:
            answer = files.write(answer, model, Path(output).expanduser())
        return replace(answer, lines=tuple(words.lines(answer)))


def evidence(target: Labelled, tried: Tried, seed: int) -> Evidence:
    """What the decision is made on."""
    if not tried.files:
        raise UserError("none of the prompts could be tried; `left_out` names the reasons")
    untuned = [row.contributions for rows in tried.untuned.values() for row in rows]
    return Evidence(
        target=target.task.name,
        candidates=tuple(Candidate(*name) for name in candidates.with_unique_names(tried.files)),
        contributions=np.stack([row.contributions for row in tried.rows]),
        reference=tried.hand_written.contributions,
        labels=target.labels,
        draw=seed,
        shots=target.shots,
        untuned=np.mean(untuned, axis=0) if untuned else None,
    )
