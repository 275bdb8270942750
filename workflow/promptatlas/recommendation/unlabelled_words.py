"""What can be said of prompts for images without labels, in a few plain lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from promptatlas.backbone.precision import FLOAT32
from promptatlas.base.messages import counted, plain, some
from promptatlas.recommendation import clues, without_labels
from promptatlas.recommendation.order import Order, table
from promptatlas.recommendation.words import called, in_columns, left_out, python, title, unseen

BEST, FEW = 5, 3


def lines(answer: Order) -> list[str]:
    told = [verdict(answer), "", *_best(answer), "", *record(answer), *_images(answer), *answer.target.notes, *answer.clues.notes]
    told += [*unseen(answer.found), *left_out(answer.found)]
    if answer.prompt is not None:
        return [*told, *python(answer.prompt, answer.backbone)]
    return [*told, *(["", "give -o FOLDER for a file of that prompt with the class names of these images"] if answer.chosen else [])]


def verdict(answer: Order) -> str:
    """What to do. Nothing here claims that a prompt helps on these images: no label says so."""
    rule = clues.title(answer.clue)
    if answer.leading is None:
        return f"keep the zero-shot prompt until some images are labelled: no candidate can be ordered by {rule}"
    leads = called(answer.leading)
    unknown = "whether it helps on these images nothing shows without labels"
    if answer.chosen:
        return f"use {leads}, until some images are labelled: it leads by {rule}, and what leads so gained on other tasks; {unknown}"
    why = "what leads so gained nothing sure on other tasks" if answer.kept else "no study here kept book of what leads so"
    return f"keep the zero-shot prompt until some images are labelled: {leads} leads by {rule}, but {why}; {unknown}"


def record(answer: Order) -> list[str]:
    """How well the rule chose where the truth is known."""
    if answer.kept is None:
        return [f"no study here kept book of how well a prompt is chosen without labels; {clues.title(answer.clue)} is the usual order"]
    return without_labels.lines(answer.kept, clues.title(answer.clue))


def _best(answer: Order) -> list[str]:
    """The leading candidates with what is known of them, as a table."""
    names = sorted(answer.clues.values, key=lambda name: name != answer.clue)
    rows = [("method", "source", "seed", *map(clues.title, names))]
    for number in answer.ranked[:BEST]:
        file = answer.clues.files[number]
        given = [f"{value:.3f}" if np.isfinite(value := answer.clues.values[name][number]) else "" for name in names]
        rows.append((title(file.method), plain(file.source), str(file.seed), *given))
    return in_columns(rows)


def _images(answer: Order) -> list[str]:
    target = answer.target
    drawn = f", drawn of {target.available:,}" if len(target.images) < target.available else ""
    names = some(map(repr, target.task.class_names), FEW)
    return [f"ordered on {counted(len(target.images), 'image')} without labels of {len(target.task.class_names)} classes ({names}){drawn}"]


def summary(answer: Order) -> Mapping[str, Any]:
    """The same for machines."""
    target = answer.target
    return {
        "verdict": answer.verdict,
        "says": verdict(answer),
        "by": answer.clue,
        "leading": table(answer)[0] if answer.ranked else None,
        "record": record(answer),
        "target": {
            "name": target.task.name, "images": len(target.images), "available": target.available,
            "classes": list(target.task.class_names), "templates": list(target.task.templates), "notes": list(target.notes),
        },
        "candidates": len(answer.clues.files),
        "doubts": unseen(answer.found),
        "left_out": answer.found.left_out,
        "precision": FLOAT32,
        "prompt": answer.prompt and answer.prompt.name,
    }  # fmt: skip
