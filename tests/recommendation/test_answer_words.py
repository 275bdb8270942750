"""What is said of candidates whose answers are made up: each verdict, ties, the margin and who chose it, the record of the rule."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from promptatlas.analysis.choice import decision
from promptatlas.analysis.choice.book import ALL_SEEDS, book
from promptatlas.recommendation import answer as answers, record, words
from promptatlas.recommendation.candidates import CandidateFile, Found, Place
from promptatlas.recommendation.labelled import Labelled
from promptatlas.recommendation.record import Record
from promptatlas.recommendation.result import Recommendation, table
from promptatlas.recommendation.trying import Row, Tried
from promptatlas.tasks.task import Task
from synthetic_evidence import study

TASK = Task("greys", "greys", "own", ("black", "white"), ("a {}.",))
IMAGES = 200


def recommendation(right, hand_written, margin=1.0, rule=None):
    """Of candidates that are right on the images that (P, N) marks."""
    files = [
        CandidateFile(Path(f"{n}.safetensors"), "mini", f"{n}.safetensors", "coop", f"task{n}", 1, {}, None) for n in range(len(right))
    ]
    rows = [Row(np.asarray(own, float), float(np.mean(own))) for own in right]
    tried = Tried(
        files, rows, Row(np.asarray(hand_written, float), float(np.mean(hand_written))), {"coop": [Row(rows[0].contributions, 0.25)] * 2}
    )
    count = len(hand_written)
    target = Labelled(TASK, np.zeros((count, 1, 1, 3), np.uint8), np.arange(count) % 2, "crop", 5000, count // 2, ("the light was poor",))
    places = [Place("mini", Path("mini"), True, None, {})]
    found = Found(files, places, {"failed in its study: no images": ["mini: x", "mini: y"]})
    made = decision.decide(answers.evidence(target, tried, 0), margin)
    return Recommendation(target, found, tried, made, "chosen by a test", rule or Record(1.0, "", ()), None, None)


def marks(*shares, count=IMAGES):
    return np.array([np.arange(count) < round(share * count) for share in shares])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_prompt_that_surely_helps_is_to_be_used():
    found = recommendation(marks(0.3, 0.9, 0.35), marks(0.4)[0])
    told = words.verdict(found)
    assert found.decision.verdict == decision.USE and told.startswith("use the CoOp prompt of task1, seed 1: +")
    points, low, high = map(float, re.search(r"([+-][\d.]+) points \(([+-][\d.]+) to ([+-][\d.]+), 95 %\)", told).groups())
    gains = found.decision.gains
    assert (points, low, high) == tuple(round(100 * float(values[1]), 1) for values in (gains.shrunk, gains.low, gains.high))
    assert low < points < high and "more than 99 %" in told and "of 3 candidates" in told


def test_prompts_that_harm_are_not_used():
    found = recommendation(marks(0.2, 0.3), marks(0.8)[0])
    assert found.decision.verdict == decision.KEEP and words.verdict(found).startswith(
        "keep the hand-written prompt: the best of 2 candidates"
    )


def test_how_many_images_more_would_tell_is_said(rng):
    found = recommendation(rng.random((3, 12)) < [[0.5], [0.6], [0.7]], rng.random(12) < 0.5, margin=3.0)
    assert found.decision.verdict == decision.TOO_FEW
    assert f"about {found.decision.more_per_class} more per class would tell" in words.verdict(found)


def test_candidates_that_cannot_be_told_apart_are_named():
    lines = words.lines(recommendation(marks(0.9, 0.9, 0.2), marks(0.4)[0]))
    assert "2 candidates have that score on these images" in lines[1] and ("task0" in lines[1]) != ("task0" in lines[0])


def test_the_best_come_first_and_everything_beside_them_is_said():
    found = recommendation(marks(*np.linspace(0.2, 0.8, 9)), marks(0.4)[0])
    lines = words.lines(found)
    start = next(number for number, line in enumerate(lines) if line.startswith("method"))
    assert [line.split()[1] for line in lines[start + 1 : start + 6]] == [f"task{n}" for n in (8, 7, 6, 5, 4)] and lines[start + 6] == ""
    assert [row["source"] for row in table(found)] == [f"task{n}" for n in range(8, -1, -1)]
    whole = "\n".join(lines)
    for told in (
        "hand-written prompt: 40.0 % (accuracy)", "untuned CoOp prompt: 25.0 %, mean of 2 seeds", "by 1 standard errors",
        "(chosen by a test)",
        "tried on 200 labelled images of greys, 100 of each of 2 classes, drawn of 5,000", "the light was poor",
        "left out, 2 prompts: failed in its study: no images (mini: x, mini: y)", "give -o FOLDER",
    ):  # fmt: skip
        assert told in whole


# The record of the rule


def kept(**changes):
    row = {"method": "coop", "shots": 16, "candidates": "all_seeds", "rule": "try", "or_none": True, "n_tasks": 20, "margin": 1.25,
           "gain": 5.16, "gain_low": 2.0, "gain_high": 8.0, "oracle_share": 0.82, "harmed": 0.02, "used": 0.45}  # fmt: skip
    return row | changes


OTHERS = ({"or_none": False}, {"candidates": "one_seed"}, {"method": "vpt"})


def place(*rows, name="mini"):
    return Place(name, Path(name), True, None, {record.TABLE: pd.DataFrame(rows).to_csv(index=False).encode()} if rows else {})


def test_the_margin_and_the_record_are_those_of_the_rule_that_decides():
    others = [
        kept(rule="oracle", margin=None),
        kept(or_none=False, margin=9),
        kept(candidates="one_seed", margin=9),
        kept(method="vpt", margin=9),
    ]
    found = record.of([place(), place(*others, kept())], {"coop"}, 16)
    assert found.margin == 1.25 and found.margin_from == "chosen on the 20 tasks of mini"
    (line,) = found.lines
    for told in ("20 tasks of mini", "16 images per class", "CoOp", "+5.2 points", "(+2.0 to +8.0, 95 %)", "82 %", "45 %", "2 %"):
        assert told in line


def test_the_record_reads_what_the_book_of_a_study_writes():
    written = book(study())
    (row,) = written[(written["rule"] == "try") & written["or_none"] & (written["candidates"] == ALL_SEEDS)].to_dict("records")
    found = record.of([Place("made up", Path("x"), True, None, {record.TABLE: written.to_csv(index=False).encode()})], {row["method"]}, 16)
    assert found.margin == pytest.approx(row["margin"]) and f"gained {row['gain']:+.1f} points" in found.lines[0]


def test_of_numbers_of_images_the_closest_counts_and_of_margins_the_largest():
    rows = [kept(shots=1, margin=0.5), kept(shots=4, margin=1.0), kept(), kept(method="vpt", shots=4, margin=2.0)]
    assert record.of([place(*rows)], {"coop"}, 5).margin == 1.0
    assert record.of([place(*rows)], {"coop", "vpt"}, 5).margin == 2.0
    together = kept(method="coop+vpt", shots=16, margin=0.25)
    assert record.of([place(*rows, together)], {"coop", "vpt"}, 5).margin == 0.25


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"method,rule\ncoop", b"a,b\n" * 9, pd.DataFrame([kept(margin="inf")]).to_csv().encode(),
                pd.DataFrame([kept(gain="many")]).to_csv().encode(), b'"' * 200_000],
)  # fmt: skip
def test_without_a_sound_record_the_usual_margin_holds_and_is_called_so(content):
    found = record.of([Place("x", Path("x"), True, None, {record.TABLE: content})], {"coop"}, 16)
    assert found == Record(decision.MARGIN, record.DEFAULT, ())


def test_that_all_may_be_guessing_is_said_where_what_is_used_is_no_better_either():
    """The other label is so frequent that always answering it is best."""
    found = recommendation(marks(0.3, 0.9), marks(0.4)[0])
    tried = replace(found.tried, guessed="all may be guessing", doubts=("the names are odd",))
    used = replace(found, tried=tried)
    assert used.decision.verdict == decision.USE and words.doubts(used) == ["the names are odd"]
    labels = np.where(np.arange(IMAGES) < 0.95 * IMAGES, 0, 1)
    rare = replace(used, target=replace(used.target, labels=labels))
    assert words.doubts(rare) == ["all may be guessing", "the names are odd"] and words.lines(rare)[1] == "all may be guessing"
    kept = recommendation(marks(0.2, 0.3), marks(0.8)[0])
    assert words.doubts(replace(kept, tried=replace(kept.tried, guessed="all may be guessing"))) == ["all may be guessing"]
