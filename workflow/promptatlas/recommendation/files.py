"""What a recommendation leaves in its folder: the answer, all candidates, and the prompt to use with its card."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace as with_other
from pathlib import Path

from promptatlas.backbone import Backbone
from promptatlas.base.errors import UserError
from promptatlas.base.files import replace
from promptatlas.recommendation import tuning, words
from promptatlas.recommendation.candidates import CandidateFile
from promptatlas.recommendation.result import Recommendation, table
from promptatlas.records import card
from promptatlas.records.prompt_file import TunedPrompt

ANSWER, CANDIDATES, PROMPT = "recommendation.json", "candidates.csv", "prompt.safetensors"


def write(answer: Recommendation, model: Backbone, folder: Path) -> Recommendation:
    """Write everything to `folder`, where a prompt of an earlier answer does not stay; the answer, with its prompt's file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PROMPT).unlink(missing_ok=True)
        answer = _with_prompt(answer, model, folder)
        replace(folder / CANDIDATES, _csv(answer))
        replace(folder / ANSWER, (json.dumps(words.summary(answer), indent=1) + "\n").encode())
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); give another folder with -o") from error
    return answer


def _with_prompt(answer: Recommendation, model: Backbone, folder: Path) -> Recommendation:
    won = answer.tuned.winner if answer.tuned else None
    if won and won.how == tuning.TUNED and won.prompt:
        assert answer.tuned is not None
        started = f"tuned from {words.called(won.start)} of {won.start.place}" if won.start else ""
        won.prompt.save(folder / PROMPT, tuning.card_of(answer.tuned, answer.target, model, _name(answer), started))
    elif file := won.start if won else answer.chosen:
        _copy(file, answer, folder / PROMPT)
    else:
        return answer
    if answer.backbone is None:
        from promptatlas.backbone import export

        export.export("mini", "mini", folder / "backbone")
    return with_other(answer, prompt=folder / PROMPT)


def _copy(file: CandidateFile, answer: Recommendation, path: Path) -> None:
    """The same prompt, whose card names the classes and the way to fit images of the target it was chosen for."""
    trained, metadata = TunedPrompt.load(file.path)
    target = answer.target
    known = dict(file.card) | {"class_names": list(target.task.class_names), "resize": target.resize}
    known |= {"origin": f"{words.called(file)} of {file.place}, chosen for {target.task.name}"}
    trained.save(path, metadata | {card.KEY: json.dumps(card.complete(known))})


def _name(answer: Recommendation) -> str:
    """How the candidates call their backbone."""
    return next((name for file in answer.tried.files if (name := (file.card["backbone"] or {}).get("name"))), "")


def _csv(answer: Recommendation) -> bytes:
    text, rows = io.StringIO(), table(answer)
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")
