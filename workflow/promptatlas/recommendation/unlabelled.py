"""From images without labels and prompts to an answer: in what order to think of the prompts, and how little that is worth without labels.

>>> found = promptatlas.recommend_unlabelled("my_images", ["results/mini"], classes=["hat", "shoe"])
>>> print("\\n".join(found.lines))
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from promptatlas.base.progress import Say
from promptatlas.recommendation import candidates, clues, files, frozen, loose, overlap, unlabelled_words, without_labels
from promptatlas.recommendation.labelled import Wanted
from promptatlas.recommendation.order import Order, table


def recommend_unlabelled(
    images: str | Path,
    sources: Sequence[str | Path] | str | Path = (),
    *,
    task: str | None = None,
    templates: Sequence[str] = (),
    classes: Sequence[str | Sequence[str]] = (),
    shots: int | None = None,
    seed: int = 0,
    backbone: str | Path | None = None,
    output: str | Path | None = None,
    device: str = "cpu",
    say: Say = lambda line: None,
) -> Order:
    """Order prompts for images without labels, by the rule without labels that did best on the tasks of a study. UserError for what cannot
    be answered.

    images: a folder; all images below it count, whatever its folders are called. classes: what they may show, or task: a known task whose
    classes they may show. shots: images for each class at most, drawn from all with `seed`. The others as in `recommend`.
    """
    with tempfile.TemporaryDirectory(prefix="promptatlas-") as folder:
        scratch = Path(folder)
        found = candidates.collect([sources] if isinstance(sources, (str, Path)) else sources, scratch / "archives")
        model, where = frozen.find(found, backbone, scratch / "backbone", device)
        frozen.keep_own(found, model)
        wanted = Wanted.by(model, shots, seed)
        target = loose.read(Path(images), task, templates, classes, scratch, wanted, say)
        overlap.leave_out_own(found, target.task, target.images, task is not None)
        with torch.no_grad():
            told = clues.gather(model, target, found, say)
        kept = without_labels.of(found.places, {file.method for file in told.files}, target.per_class, [*told.values])
        clue = kept.clue if kept else without_labels.DEFAULT
        own = None if where == scratch / "backbone" else where
        answer = Order(target, found, told, clue, kept, own)
        if output is not None:
            answer = write(answer, Path(output).expanduser())
        return replace(answer, lines=tuple(unlabelled_words.lines(answer)))


def write(answer: Order, folder: Path) -> Order:
    """Write the answer, the candidates and, where one is to be used, its prompt to `folder`."""
    with files.writing(folder):
        if file := answer.chosen:
            files.keep_prompt(file, answer.target.task, answer.target.resize, folder)
            files.keep_backbone(answer.backbone, folder)
            answer = replace(answer, prompt=folder / files.PROMPT)
        files.keep(folder, table(answer), unlabelled_words.summary(answer))
    return answer
