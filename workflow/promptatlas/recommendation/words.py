"""A recommendation for people, in a few plain lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.analysis.choice.decision import KEEP, TOO_FEW, USE
from promptatlas.backbone.precision import FLOAT32
from promptatlas.base.messages import counted, plain, some
from promptatlas.evaluation.doubts import guess
from promptatlas.methods import words as method_words
from promptatlas.recommendation import tuning_record
from promptatlas.recommendation.candidates import OTHER, CandidateFile, Found
from promptatlas.recommendation.labelled import counts_of
from promptatlas.recommendation.result import Recommendation, table
from promptatlas.recommendation.tuning import AS_IT_IS, HAND_WRITTEN, Contender, Tuning
from promptatlas.tasks import metrics

BEST = 5
FEW = 3


def lines(answer: Recommendation) -> list[str]:
    told = [*_tuning(answer), _as_they_are(answer), *_tied(answer), *doubts(answer), "", *_best(answer), "", *_beside(answer)]
    told += [_margin(answer), *answer.record.lines, *worth_tuning(answer), _images(answer), *answer.target.notes, *left_out(answer.found)]
    return [*told, *_use(answer)]


def worth_tuning(answer: Recommendation) -> list[str]:
    """What is better, as far as it was measured: prompts as they are or tuned, and tuned from where."""
    if answer.tuned:
        return tuning_record.lines({one.method for one in answer.tuned.contenders if one.start}, True)
    return tuning_record.lines((file.method for file in answer.tried.files), False) if max(counts_of(answer.target).values()) > 1 else []


def verdict(answer: Recommendation) -> str:
    """What to do with the prompts as they are."""
    decision, leading = answer.decision, answer.decision.leading
    if leading is None:
        return "keep the zero-shot prompt: no candidate has a score"
    if round(decision.gains.low[leading], 3) <= -1 and round(decision.gains.high[leading], 3) >= 1:
        return _anything(answer)
    found, name, of = decision.gains, called(answer.tried.files[leading]), counted(len(answer.tried.files), "candidate")
    gain = f"{points(found.shrunk[leading])} points ({points(found.low[leading])} to {points(found.high[leading])}, 95 %)"
    if decision.verdict == USE:
        return (
            f"use {name}: {_right(answer, leading)}, {gain} over the zero-shot prompt on images like these{_lifted(answer, leading)}; "
            f"it helps with probability {_share(found.helps[leading])}, and is the best of {of} with {_share(decision.best[leading])}"
        )
    if decision.verdict == TOO_FEW:
        return (
            f"too few images to tell: {name} may give {gain} over the zero-shot prompt{_lifted(answer, leading)}; about "
            f"{decision.more_per_class} more per class would tell. Until then keep the zero-shot prompt"
        )
    return f"keep the zero-shot prompt: the best of {of}, {name}, would give {gain} on images like these, which is no gain to rely on"


def _anything(answer: Recommendation) -> str:
    """What to do where the images leave every gain possible."""
    each = ", one of each class," if max(counts_of(answer.target).values()) == 1 else ""
    return (
        f"{counted(len(answer.target.labels), 'image')}{each} are too few to say anything of any prompt: label more of each class. "
        "Until then keep the zero-shot prompt"
    )


def _right(answer: Recommendation, number: int) -> str:
    """What a candidate, the zero-shot prompt and guessing score on these images."""
    metric, labels, tried = answer.target.task.metric, answer.target.labels, answer.tried
    right = "right on" if metric == metrics.ONE_CLASS else metrics.title(metric)
    level = guess(metric, labels, len(answer.target.task.class_names))
    guessing = f", guessing {_percent(level)}" if np.isfinite(level) else ""
    return f"{right} {_percent(tried.rows[number].score)} (zero-shot {_percent(tried.hand_written.score)}{guessing})"


def _lifted(answer: Recommendation, number: int) -> str:
    """Why a gain is expected that is larger than the one on these images, where it is."""
    gains = answer.decision.gains
    if points(gains.shrunk[number]) == points(gains.observed[number]) or gains.shrunk[number] < gains.observed[number]:
        return ""
    return (
        f" (more than the {points(gains.observed[number])} on these images, as the mean of all candidates there, "
        f"{points(np.nanmean(gains.observed))}, is put down to these images in part)"
    )


def _as_they_are(answer: Recommendation) -> str:
    """The verdict; below that on tuned prompts without a second one to use."""
    told = verdict(answer)
    return told.replace("use ", "the best is ", 1) if answer.tuned and answer.decision.verdict == USE else told


def doubts(answer: Recommendation) -> list[str]:
    """What is odd."""
    return [*filter(None, [answer.tried.guessed]), *answer.tried.doubts, *unseen(answer.found)]


def unseen(found: Found) -> list[str]:
    """That nothing tells whether some candidates were trained on these very images."""
    if not found.unseen:
        return []
    return [
        "nothing at hand tells whether these very images are training images of "
        f"{counted(len(found.unseen), 'prompt')} of the same classes, whose scores would then be too good ({some(found.unseen, FEW)}); "
        "the study's folder would tell, or an archive packed by this version"
    ]


def _tied(answer: Recommendation) -> list[str]:
    tied = answer.decision.tied
    if len(tied) < 2:
        return []
    names = some((called(answer.tried.files[one]) for one in tied if one != answer.decision.leading), FEW)
    others = "the other is" if len(tied) == 2 else "the others are"
    return [f"{counted(len(tied), 'candidate')} have that score on these images, and the lot decided among them; {others} {names}"]


def called(file: CandidateFile) -> str:
    return f"the {title(file.method)} prompt of {file.source}, seed {file.seed}"


def title(method: str) -> str:
    return method_words().get(method, {}).get("title", method)


def points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0")


def _share(share: float) -> str:
    """Never 0 or 100 %: a few images make nothing certain."""
    return "less than 1 %" if share < 0.01 else "more than 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def _percent(score: float) -> str:
    return f"{100 * score:.1f} %"


def _best(answer: Recommendation) -> list[str]:
    """The best candidates as a table."""
    rows = [("method", "source", "seed", "score", "expected gain", "95 %", "helps", "best")]
    for row in table(answer)[:BEST]:
        interval = f"{points(row['low'])} to {points(row['high'])}"
        rows.append(
            (
                title(row["method"]), plain(row["source"]), str(row["seed"]), _percent(row["score"]), points(row["expected_gain"]),
                interval, _share(row["helps"]), _share(row["best"]),
            )
        )  # fmt: skip
    return in_columns(rows)


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines in which each column is as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _beside(answer: Recommendation) -> list[str]:
    metric = metrics.title(answer.target.task.metric)
    told = [f"zero-shot prompt: {_percent(answer.tried.hand_written.score)} ({metric}); it is hand-written, nothing is trained"]
    for method, rows in answer.tried.untuned.items():
        mean = float(np.mean([row.score for row in rows]))
        told.append(f"untuned {title(method)} prompt: {_percent(mean)}{f', mean of {len(rows)} seeds' if len(rows) > 1 else ''}")
    return told


def _margin(answer: Recommendation) -> str:
    return (
        f"a prompt is used only if it beats the zero-shot one by {answer.decision.margin:g} standard "
        f"error{'' if answer.decision.margin == 1 else 's'} of their difference on "
        f"these images ({answer.margin_from})"
    )


def _images(answer: Recommendation) -> str:
    target, counts = answer.target, counts_of(answer.target).values()
    least, most = min(counts), max(counts)
    each = f"{least}" if least == most else f"{least} to {most}"
    drawn = f", drawn of {target.available:,}" if len(target.labels) < target.available else ""
    return f"tried on {counted(len(target.labels), 'labelled image')} of {target.task.name}, {each} of each of {len(counts)} classes{drawn}"


def left_out(found: Found) -> list[str]:
    by_reason = found.left_out
    unfinished = [place.name for place in found.places if place.finished is False]
    told = [f"{name} has not run to its end: the prompts that are there were tried" for name in map(plain, unfinished)]
    for reason, names in by_reason.items():
        what = counted(len(names), "file" if reason == OTHER else "prompt")
        told.append(f"left out, {what}: {reason} ({some(names, FEW)})")
    return told + _other_precisions(found)


def _other_precisions(found: Found) -> list[str]:
    """That candidates are computed in another precision than they were trained in."""
    own = Counter(str(file.card.get("precision") or FLOAT32) for file in found.files)
    del own[FLOAT32]
    trained = [f"{counted(count, 'prompt')} trained in {plain(name)}" for name, count in sorted(own.items())]
    if not trained:
        return []
    return [f"{' and '.join(trained)} computed in {FLOAT32} here, as all are: scores may differ a little from those of their study"]


def _tuning(answer: Recommendation) -> list[str]:
    """Which tuned prompt won on validation, by how much, and whether that is surely more than the zero-shot prompt."""
    if answer.tuned is None:
        return []
    won, *others = answer.tuned.contenders
    train, (hand,) = len(answer.tuned.draw.train), (one for one in answer.tuned.contenders if one.how == HAND_WRITTEN)
    rows = [("score", "points over the zero-shot prompt", "prompt")]
    rows += [(_percent(one.score), points(one.score - hand.score), contender(one)) for one in (won, *others)]
    told = [tuned_verdict(answer.tuned), *in_columns(rows)]
    told.append(f"(tuned on {counted(train, 'other image')}; the best of several on few images has a score that is too good)")
    return [*told, "", "without tuning:"]


def tuned_verdict(tuned: Tuning) -> str:
    """What to do with the best of the tuned prompts."""
    won, gain, images = tuned.winner, tuned.gain, len(tuned.draw.validation)
    (hand,) = (one for one in tuned.contenders if one.how == HAND_WRITTEN)
    if won.how == HAND_WRITTEN:
        return f"keep the zero-shot prompt: {_percent(won.score)} on {counted(images, 'validation image')}, and none of the others more"
    against = f"{_percent(won.score)} against {_percent(hand.score)} on {images:,}"
    if gain.verdict == KEEP:
        return (
            f"keep the zero-shot prompt: {contender(won)}, the best of the others, has no better score on the validation images ({against})"
        )
    least = f"{points(gain.gain)} points, at least {points(gain.least)} (95 %, as the best of {len(tuned.contenders) - 1})"
    if gain.verdict == TOO_FEW:
        return (
            f"too few validation images to tell whether {contender(won)} is better than the zero-shot prompt ({against}): {least}. "
            "Until then keep the zero-shot prompt"
        )
    return f"use {contender(won)}: better than the zero-shot prompt on validation images ({against}): {least}"


def contender(one: Contender) -> str:
    if one.how == HAND_WRITTEN:
        return "the zero-shot prompt"
    if one.how == AS_IT_IS and one.start:
        return f"{called(one.start)}, as it is"
    start = called(one.start) if one.start else "an untrained prompt"
    return f"{title(one.method)} tuned from {start}"


def _use(answer: Recommendation) -> list[str]:
    """Three lines of Python that classify with the prompt, where there is one."""
    if answer.prompt is not None:
        return [*_all_the_same(answer), *python(answer.prompt, answer.backbone)]
    uses = answer.tuned.winner.how != HAND_WRITTEN if answer.tuned else answer.chosen is not None
    return ["", "give -o FOLDER for a file of that prompt with the class names of these images"] if uses else []


def _all_the_same(answer: Recommendation) -> list[str]:
    """That the file of the tuned prompt is there although it is not surely better."""
    if answer.tuned is None or answer.tuned.gain.verdict == USE:
        return []
    return ["", f"the file holds {contender(answer.tuned.winner)} all the same, as tuning was asked for"]


def python(prompt: Path, backbone: Path | None) -> list[str]:
    """They load the prompt, with the frozen model in this folder where none lies beside it."""
    beside = (prompt.parent / "backbone").is_dir()
    return [
        "",
        "import promptatlas",
        f"classify = promptatlas.load_prompt({_quoted(prompt)}).classifier({'' if beside else f'backbone={_quoted(backbone)}'})",
        'print(classify(["image.jpg"]).labels)',
    ]


def _quoted(path: Path | None) -> str:
    return json.dumps(str(path), ensure_ascii=False)


def summary(answer: Recommendation) -> Mapping[str, Any]:
    """The same for machines."""
    decision, target = answer.decision, answer.target
    untuned = {method: float(np.mean([row.score for row in rows])) for method, rows in answer.tried.untuned.items()}
    return {
        "verdict": decision.verdict,
        "says": _as_they_are(answer),
        "chosen": _row(answer, decision.chosen),
        "leading": _row(answer, decision.leading),
        "more_per_class": decision.more_per_class,
        "margin": {"standard_errors": decision.margin, "from": answer.margin_from},
        "record": list(answer.record.lines),
        "worth_tuning": worth_tuning(answer),
        "doubts": doubts(answer),
        "target": {
            "name": target.task.name, "metric": target.task.metric, "images": counts_of(target), "available": target.available,
            "shots": target.shots, "templates": list(target.task.templates), "notes": list(target.notes),
        },
        "hand_written": answer.tried.hand_written.score,
        "untuned": untuned,
        "candidates": len(answer.tried.files),
        "left_out": answer.found.left_out,
        "precision": FLOAT32,
        "tuning": _tuned(answer),
        "prompt": answer.prompt and answer.prompt.name,
    }  # fmt: skip


def _row(answer: Recommendation, number: int | None) -> Mapping[str, Any] | None:
    if number is None:
        return None
    file = answer.tried.files[number]
    return next(row for row in table(answer) if (row["place"], row["file"]) == (file.place, file.called))


def _tuned(answer: Recommendation) -> Mapping[str, Any] | None:
    if answer.tuned is None:
        return None
    rows: Sequence[Contender] = answer.tuned.contenders
    return {
        "train": len(answer.tuned.draw.train),
        "validation": len(answer.tuned.draw.validation),
        "winner": contender(answer.tuned.winner),
        "verdict": answer.tuned.gain.verdict,
        "says": tuned_verdict(answer.tuned),
        "gain": answer.tuned.gain.gain,
        "least": answer.tuned.gain.least,
        "note": next(filter(None, _all_the_same(answer)), None) if answer.prompt else None,
        "contenders": [
            {
                "how": one.how,
                "method": one.method or None,
                "start": one.start and f"{one.start.place}: {one.start.called}",
                "score": one.score,
            }
            for one in rows
        ],
    }
