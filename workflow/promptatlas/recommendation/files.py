"""What a recommendation leaves in its folder: the answer, all candidates, and the prompt to use with its card."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace as with_other
from pathlib import Path
from typing import Any

from promptatlas.backbone import Backbone
from promptatlas.base.errors import UserError
from promptatlas.base.files import replace
from promptatlas.recommendation import tuning, words
from promptatlas.recommendation.candidates import CandidateFile
from promptatlas.recommendation.result import Recommendation, table
from promptatlas.records import card
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks.task import Task

ANSWER, CANDIDATES, PROMPT = "recommendation.json", "candidates.csv", "prompt.safetensors"


def write(answer: Recommendation, model: Backbone, folder: Path) -> Recommendation:
    """Write everything to `folder`; the answer, with its prompt's file."""
    with writing(folder):
        answer = _with_prompt(answer, model, folder)
        keep(folder, table(answer), words.summary(answer))
    return answer


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make the folder, where a prompt of an earlier answer does not stay. UserError for what cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PROMPT).unlink(missing_ok=True)
        yield
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); give another folder with -o") from error


def keep(folder: Path, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> None:
    """Write all candidates and the answer."""
    replace(folder / CANDIDATES, _csv(rows))
    replace(folder / ANSWER, (json.dumps(summary, indent=1) + "\n").encode())


def _with_prompt(answer: Recommendation, model: Backbone, folder: Path) -> Recommendation:
    won = answer.tuned.winner if answer.tuned else None
    if won and won.how == tuning.TUNED and won.prompt:
        assert answer.tuned is not None
        started = f"tuned from {words.called(won.start)} of {won.start.place}" if won.start else ""
        won.prompt.save(folder / PROMPT, tuning.card_of(answer.tuned, answer.target, model, _name(answer), started))
    elif file := won.start if won else answer.chosen:
        keep_prompt(file, answer.target.task, answer.target.resize, folder)
    else:
        return answer
    keep_backbone(answer.backbone, folder)
    return with_other(answer, prompt=folder / PROMPT)


def keep_backbone(known: Path | None, folder: Path) -> None:
    """The embedded model beside the prompt, where no study has it."""
    if known is None:
        from promptatlas.backbone import export

        export.export("mini", "mini", folder / "backbone")


def keep_prompt(file: CandidateFile, task: Task, resize: str, folder: Path) -> None:
    """The same prompt, whose card names the classes and the way to fit images of the target it was chosen for."""
    trained, metadata = TunedPrompt.load(file.path)
    known = dict(file.card) | {"class_names": list(task.class_names), "resize": resize}
    known |= {"origin": f"{words.called(file)} of {file.place}, chosen for {task.name}"}
    trained.save(folder / PROMPT, metadata | {card.KEY: json.dumps(card.complete(known))})


def _name(answer: Recommendation) -> str:
    """How the candidates call their backbone."""
    return next((name for file in answer.tried.files if (name := (file.card["backbone"] or {}).get("name"))), "")


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")
