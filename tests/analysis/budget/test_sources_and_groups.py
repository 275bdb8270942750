"""`promptatlas sources` and `promptatlas groups`: of a study's folder, of the folder of an analysis, and of a matrix."""

import numpy as np
import pandas as pd
import pytest
import yaml

from promptatlas.analysis.budget import sources
from promptatlas.analysis.budget.gains import of_folder
from promptatlas.cli import command
from promptatlas.report import any_matrix
from synthetic_study import tasks_table, transfer_table

HELPS = {"a": {"b": 8, "c": 6}, "b": {"a": 7}, "d": {"a": 2, "c": 9}, "e": {"f": 1}, "f": {"e": 3}}
NAMES = "abcdef"


def table(seeds=(1, 2, 3), noise=0.0) -> pd.DataFrame:
    """Gains in points over a baseline of 50; what does not help harms by 5."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "source": source,
                "target": target,
                "seed": seed,
                "score": 0.5 + HELPS.get(source, {}).get(target, -5) / 100 + noise * rng.normal(),
                "baseline": 0.5,
            }
            for seed in seeds
            for source in NAMES
            for target in NAMES
            if source != target
        ]
    )


@pytest.fixture
def matrix(tmp_path):
    table().to_csv(tmp_path / "matrix.csv", index=False)
    return tmp_path / "matrix.csv"


def told(capsys, *arguments: object) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        command.main([str(one) for one in arguments])
    out = capsys.readouterr()
    assert ended.value.code == 0, out.err
    return out.out.splitlines()


def test_the_best_sources_of_a_matrix_with_whom_they_serve(matrix, capsys):
    """Gains of 8 to b, 7 to a, 9 to c, 3 to e, 1 to f and none to d, by one source more at a time."""
    head, best, *serves, curve, often, verdict = told(capsys, "sources", matrix, "-k", 2)
    assert head == "matrix: 6 tasks, 3 seeds; gains in points over the baseline, mean over targets"
    assert best.startswith("  best 2: a, b; ") and best.endswith(f"{(8 + 6 + 7) / 6:+.1f} points")
    assert serves == ["    a for b, c", "    b for a", "    the baseline for d, e, f"]
    assert curve == "  with 1, 2, 3, ... sources: +2.3, +3.5, +4.0, +4.5, +4.7"
    assert "a 100 %, b 100 %" in often and "+3.5 there, +3.5 on the one left out" in verdict


def test_groups_of_a_matrix_and_what_stays_alone(matrix, capsys):
    _, *lines = told(capsys, "groups", matrix)
    assert lines[0] == "  a, b: +7.5 points each; together in 100 % of draws of seeds" and "  e, f: +2.0 points each" in lines[2]
    assert lines[1].startswith("  c, d: +2.0 points each")
    assert lines[3] == f"  all tasks: {(15 + 4 + 4) / 6:+.1f} points" and "random groups of the same sizes" in lines[4]
    one = told(capsys, "groups", matrix, "--largest", 1)
    assert one[1:] == ["  every task alone: no group gains anything"]


def test_pairs_that_are_not_measured_are_counted(tmp_path, capsys):
    some = table().query("source != 'd' or target not in ('a', 'c')")
    some.to_csv(tmp_path / "m.csv", index=False)
    for what in ("sources", "groups"):
        assert told(capsys, what, tmp_path / "m.csv", *(["-k", 2] if what == "sources" else []))[0].endswith(
            "mean over targets; 2 pairs of 30 not measured, and not chosen"
        )


def test_one_seed_says_what_is_not_known_and_more_sources_than_help(tmp_path, capsys):
    table(seeds=(1,)).to_csv(tmp_path / "m.csv", index=False)
    lines = told(capsys, "sources", tmp_path / "m.csv", "-k", 9)
    assert "  more than 5 gain nothing more" in lines and lines[-1].startswith("  there is one seed")
    assert told(capsys, "groups", tmp_path / "m.csv")[-2].startswith("  there is one seed")


def test_the_folders_of_an_analysis_and_of_a_study_say_the_same_as_their_matrices(tmp_path, capsys, monkeypatch):
    frame = table(noise=0.02)
    any_matrix.analyse([("made up", frame)], output=tmp_path / "out", permutations=9)
    frame.to_csv(tmp_path / "made up.csv", index=False)
    for which in ("sources", "groups"):
        whole, folder = (told(capsys, which, tmp_path / name) for name in ("made up.csv", "out"))
        assert [line.replace(" points", "") for line in whole[1:]] == folder[1:]

    transfer, tasks = transfer_table(6, methods=("coop",)), tasks_table(6)
    place = tmp_path / "results" / "mini" / "tables"
    place.mkdir(parents=True)
    transfer.to_parquet(place / "transfer.parquet")
    tasks.to_parquet(place / "tasks.parquet")
    (own,) = of_folder(place.parent)
    pair = transfer[(transfer["source"] == "task_01") & (transfer["target"] == "task_03") & (transfer["seed"] == 2)]["score"].item()
    template = transfer[(transfer["source"] == "template") & (transfer["target"] == "task_03")]["score"].mean()
    assert own.values[1, 1, 3] == pytest.approx(100 * (pair - template)) and own.before == "the zero-shot prompt"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"study": "mini"}))
    assert told(capsys, "sources") == told(capsys, "sources", "results/mini") and "frozen coop: 6 tasks" in told(capsys, "groups")[0]


def test_a_choice_is_as_stable_as_seeds_are_drawn():
    """Of two seeds that want different sources a draw has both alike in one case of four each, else the one with the larger gain."""
    values = np.full((2, 3, 3), -1.0)
    values[0, 0, 1:], values[1, 2, :2] = 5, 4
    often = sources.often(values, 1, draws=4000)
    assert often == pytest.approx([0.75, 0, 0.25], abs=0.03) and often.sum() == pytest.approx(1)
    assert np.isnan(sources.often(values[:1], 1)).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sources", "matrix.csv", "-k", "0"], "-k must be at least 1"),
        (["groups", "matrix.csv", "--largest", "0"], "--largest must be at least 1"),
        (["groups", "matrix.csv", "--most", "1"], "cannot be put into 1 groups"),
        (["sources", "bare.csv"], "what a source gains is not known"),
        (["sources", "none.csv"], "none.csv"),
        (["sources", "."], "no tables of a finished study"),
        (["sources", "bare"], "run `promptatlas analyse` again with --baseline"),
        (["groups"], "no tables of a finished study"),
    ],
)
def test_what_cannot_be_chosen_from_is_told_in_one_sentence(matrix, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(matrix.parent)
    table().drop(columns="baseline").to_csv("bare.csv", index=False)
    if arguments[-1] == "bare":
        any_matrix.analyse("bare.csv", output="bare", permutations=9)
    (matrix.parent / "config.yaml").write_text(yaml.safe_dump({"study": "mini"}))
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    out = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1 and len(out) == 1 and words in out[0], out
