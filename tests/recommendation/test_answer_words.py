"""What is said of candidates whose answers are made up: each verdict, ties, the margin and who chose it, the record of the rule."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from promptatlas.analysis.choice import decision
from promptatlas.analysis.choice.book import ALL_SEEDS, book
from promptatlas.recommendation import answer as answers, record, words
from promptatlas.recommendation.candidates import CandidateFile, Found, Place
from promptatlas.recommendation.labelled import Labelled
from promptatlas.recommendation.record import Record
from promptatlas.recommendation.result import Recommendation, table
from promptatlas.recommendation.trying import Row, Tried
from promptatlas.recommendation.tuned_gain import tuned_gain
from promptatlas.recommendation.tuning import HAND_WRITTEN, TUNED, Contender, Tuning
from promptatlas.tasks.draws import Draw
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
    assert found.decision.verdict == decision.USE and told.startswith(
        "use the CoOp prompt of task1, seed 1: right on 90.0 % (zero-shot 40.0 %, guessing 50.0 %), +"
    )
    points, low, high = map(float, re.search(r"([+-][\d.]+) points \(([+-][\d.]+) to ([+-][\d.]+), 95 %\)", told).groups())
    gains = found.decision.gains
    assert (points, low, high) == tuple(round(100 * float(values[1]), 1) for values in (gains.shrunk, gains.low, gains.high))
    assert low < points < high and "more than 99 %" in told and "of 3 candidates" in told


def test_prompts_that_harm_are_not_used():
    found = recommendation(marks(0.2, 0.3), marks(0.8)[0])
    assert found.decision.verdict == decision.KEEP and words.verdict(found).startswith(
        "keep the zero-shot prompt: the best of 2 candidates"
    )


@pytest.mark.parametrize(("count", "each"), [(2, ", one of each class,"), (3, "")])
def test_images_that_leave_every_gain_possible_are_said_to_be_too_few(count, each, rng):
    found = recommendation(rng.random((3, count)) < 0.5, np.ones(count))
    assert words.verdict(found) == (
        f"{count} images{each} are too few to say anything of any prompt: label more of each class. Until then keep the zero-shot prompt"
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
        "zero-shot prompt: 40.0 % (accuracy)", "untuned CoOp prompt: 25.0 %, mean of 2 seeds", "by 1 standard error of",
        "(chosen by a test)",
        "tried on 200 labelled images of greys, 100 of each of 2 classes, drawn of 5,000", "the light was poor",
        "left out, 2 prompts: failed in its study: no images (mini: x, mini: y)", "give -o FOLDER",
    ):  # fmt: skip
        assert told in whole


# The record of the rule


def kept(**changes):
    row = {"method": "coop", "shots": 16, "candidates": "all_seeds", "rule": "try", "or_none": True, "n_tasks": 20, "n_draws": 5,
           "margin": 1.25, "gain": 5.16, "gain_low": 2.0, "gain_high": 8.0, "oracle_share": 0.82, "harmed": 0.02, "used": 0.45}  # fmt: skip
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
    said = "20 tasks of mini", "CoOp; up to 16 images per class, 5 draws", "+5.2 points", "(+2.0 to +8.0, 95 %), 82 %", "45 %", "in 2 %"
    for told in said:
        assert sum(told in line for line in found.lines) == 1
    assert max(map(len, found.lines)) <= 110 and [line.startswith("  ") for line in found.lines] == [False, True, True]


def test_the_record_reads_what_the_book_of_a_study_writes():
    written = book(study())
    (row,) = written[(written["rule"] == "try") & written["or_none"] & (written["candidates"] == ALL_SEEDS)].to_dict("records")
    found = record.of([Place("made up", Path("x"), True, None, {record.TABLE: written.to_csv(index=False).encode()})], {row["method"]}, 16)
    assert found.margin == pytest.approx(row["margin"]) and f"gained {row['gain']:+.1f} points" in found.lines[1]


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


def test_that_all_may_be_guessing_is_said_whatever_the_verdict():
    found = recommendation(marks(0.3, 0.9), marks(0.4)[0])
    tried = replace(found.tried, guessed="all may be guessing", doubts=("the names are odd",))
    used = replace(found, tried=tried)
    assert used.decision.verdict == decision.USE and words.doubts(used) == ["all may be guessing", "the names are odd"]
    assert words.lines(used)[1] == "all may be guessing"
    kept = recommendation(marks(0.2, 0.3), marks(0.8)[0])
    assert words.doubts(replace(kept, tried=replace(kept.tried, guessed="all may be guessing"))) == ["all may be guessing"]


def test_a_candidate_far_below_the_hand_written_prompt_is_not_said_to_help_with_more_images():
    found = recommendation(marks(1 / 3, count=15), np.arange(15) >= 4)
    gains = found.decision.gains
    assert gains.shrunk[0] < 0 and gains.above(decision.POINT)[0] > decision.HOPE
    assert found.decision.verdict == decision.KEEP and words.verdict(found).startswith("keep the zero-shot prompt")


def test_a_gain_that_is_expected_to_be_larger_than_on_these_images_is_explained(rng):
    bad = np.zeros((9, 40))
    found = recommendation([np.arange(40) < 24, *bad], np.arange(40) < 22, margin=-100)
    gains = found.decision.gains
    assert found.decision.leading == 0 and gains.shrunk[0] > gains.observed[0]
    assert "more than the +5.0 on these images, as the mean of all candidates there, -49.0" in words.verdict(found)
    plain = recommendation(marks(0.3, 0.9, 0.35), marks(0.4)[0])
    assert "more than the" not in words.verdict(plain).replace("more than 99", "")


@pytest.mark.parametrize("margin", [1.0, 2.0])
def test_the_margin_is_counted(margin):
    told = "\n".join(words.lines(recommendation(marks(0.3), marks(0.4)[0], margin)))
    assert f"by {margin:g} standard error{'s' * (margin != 1)} of" in told


def test_one_image_per_class_is_one_image():
    where = record.of([place(kept(shots=1))], {"coop"}, 1).lines[0]
    assert "; 1 image per class, 5 draws" in where


# What tuning gave


def tuned(score, hand_written, count, how=TUNED):
    """Of one prompt tuned from an untrained one, that is right where the zero-shot one is, and on more or fewer."""
    differences = np.arange(count) < round(score * count)
    own = np.arange(count) < round(hand_written * count)
    rows = [Contender(how, "coop" if how == TUNED else "", None, score, 0.1, None)]
    rows += [Contender(HAND_WRITTEN, "", None, hand_written, 0.2, None)] if how == TUNED else []
    drawn = Draw(np.arange(count), np.arange(count), "train", np.zeros(count, int), np.zeros(count, int))
    gain = tuned_gain(differences.astype(float) - own, 1)
    return replace(recommendation(marks(0.3, 0.9, 0.35), marks(0.4)[0]), tuned=Tuning(tuple(rows), drawn, 0, gain))


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        (
            tuned(2 / 3, 1 / 2, 6),
            "too_few",
            "is better than the zero-shot prompt (66.7 % against 50.0 % on 6): +16.7 points, at least -",
        ),
        (tuned(1.0, 1.0, 6), "keep", "keep the zero-shot prompt: CoOp tuned from an untrained prompt"),
        (tuned(0.9, 0.3, 40), "use", "use CoOp tuned from an untrained prompt: better"),
        (tuned(0.5, 0.5, 6, HAND_WRITTEN), "keep", "keep the zero-shot prompt: 50.0 % on 6 validation images"),
    ],
)
def test_a_tuned_prompt_is_to_be_used_only_if_it_is_surely_better(found, verdict, said):
    lines = words.lines(found)
    assert found.tuned.gain.verdict == verdict and said in lines[0] and lines[0].startswith("use ") == (verdict == "use")
    assert lines[1].split() == "score points over the zero-shot prompt prompt".split()
    told = words.summary(found)
    assert told["tuning"]["says"] == lines[0] and told["tuning"]["verdict"] == verdict
    assert found.decision.verdict == decision.USE and not any(line.startswith("use ") for line in lines[1:])
    left = replace(found, prompt=Path("out/prompt.safetensors"), backbone=Path("mini"))
    kept = [line for line in words.lines(left) if line.startswith("the file holds")]
    assert bool(kept) == (verdict != "use") and words.summary(left)["tuning"]["note"] == (kept[0] if kept else None)


def test_the_lower_end_is_that_of_the_t_interval_for_the_best_of_several():
    differences = np.array([1.0, 1, 0, 0, -1, 1, 0, 1])
    error = np.sqrt((differences.var() * 8 + 1) / 7 / 8)
    assert tuned_gain(differences, 7).least == pytest.approx(0.375 - scipy.stats.t.ppf(1 - 0.05 / 7, 7) * error)
    assert tuned_gain(np.array([1.0]), 7).verdict == "too_few"


@pytest.mark.parametrize("images", [6, 12, 40])
def test_of_prompts_that_guess_the_best_is_seldom_used(rng, images):
    used = 0
    for _ in range(400):
        own, several = rng.random(images) < 1 / 3, rng.random((7, images)) < 1 / 3
        used += tuned_gain(several[several.sum(axis=1).argmax()] * 1.0 - own, 7).verdict == "use"
    assert used <= 0.06 * 400
