"""From files to tables, figures and page: what `promptatlas analyse` leaves, and what Chromium shows of it."""

import json
import re
import xml.etree.ElementTree as xml

import numpy as np
import pandas as pd
import pytest

import promptatlas
from browser import browse, drawn_cells, embedded, needs_browser
from promptatlas.base.errors import UserError
from promptatlas.cli import command
from promptatlas.report.any_matrix import lines
from promptatlas.report.figures.any_matrix import names

NASTY = ["Müll, groß", "日本 語", 'say "cheese"', "$x_$ cost", "</script><b>bold</b>", "_plain"]
PERMUTATIONS = 49
TABLES = ("transfer", "similarity", "tasks", "statistics", "explained", "contrasts", "effects", "comparison", "groups")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two methods with three seeds, names that are no identifiers, a similarity, families and a row that is a source only."""
    here = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(0)
    rows = [
        (method, seed, source, target, rng.normal(0, 1) + 0.4 * k)
        for method in ("ours", "a/b: c")
        for seed in ("first", "second", "third")
        for source in (*NASTY, "nothing")
        for k, target in enumerate(NASTY)
    ]
    pd.DataFrame(rows, columns=["model", "run", "trained on", "tested on", "points"]).to_csv(here / "all.csv", index=False)
    near = rng.normal(0, 1, (6, 6))
    pd.DataFrame(near + near.T, NASTY, NASTY).to_csv(here / "near.csv")
    pd.DataFrame({"task": NASTY, "family": ["a", "a", "b", "b", "", "c"]}).to_csv(here / "kin.csv", index=False)
    told = [
        str(here / "all.csv"),
        "--similarity",
        f"close={here / 'near.csv'}",
        "--families",
        str(here / "kin.csv"),
        "-o",
        str(here / "out"),
    ]
    with pytest.raises(SystemExit) as end:
        command.main(["analyse", *told, "-o", str(here / "out"), "--permutations", str(PERMUTATIONS)])
    assert end.value.code == 0
    return here


def test_everything_is_left_in_the_folder(folder):
    out = folder / "out"
    assert {path.name for path in (out / "tables").iterdir()} == {f"{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")}
    figures = {path.stem for path in (out / "figures").iterdir() if path.is_file()}
    assert {"variance", "correlations", "givers-ours", "similarity-a_b__c", "heatmap-ours-raw", "heatmap-a_b__c-relationship"} <= figures
    assert all((out / "figures" / f"{name}.png").stat().st_size > 5000 for name in figures)
    for name in figures:
        xml.parse(out / "figures" / f"{name}.svg")
    summary = json.loads((out / "summary.json").read_text())
    assert summary["n_tasks"] == 6 and summary["seeds"] == ["first", "second", "third"] and summary["methods"] == ["ours", "a/b: c"]


def test_the_tables_hold_what_was_given(folder):
    given = pd.read_csv(folder / "all.csv")
    table = pd.read_csv(folder / "out" / "tables" / "transfer.csv")
    keys = ["method", "seed", "source", "target"]
    both = table.merge(given.set_axis(["method", "seed", "source", "target", "points"], axis=1), on=keys)
    assert len(both) == len(given) == len(table) and both["raw"].to_numpy() == pytest.approx(both["points"].to_numpy())


def test_the_page_has_all_numbers_and_no_section_of_a_study(folder):
    page = folder / "out" / "report.html"
    data, text = embedded(page), page.read_text()
    assert data["summary"] == json.loads((folder / "out" / "summary.json").read_text())
    assert [one["name"] for one in data["tasks"]] == sorted(NASTY)
    assert text.count("</script>") == 2 and "<b>bold</b>" not in text
    sections = re.findall(r'<section id="(\w+)"', text)
    assert sections == ["matrix", "sources", "budget", "variance", "similarity", "read"]
    assert not re.search(r"zero-shot|prompt\b|CLIP|images? per class", text.split('<script type="application/json"')[0])


@pytest.mark.slow
def test_what_nobody_gave_is_left_out(folder):
    one = promptatlas.analyse(folder / "near.csv", output=folder / "bare", permutations=9)
    text = (folder / "bare" / "report.html").read_text()
    assert 'id="similarity-table"' not in text and 'id="agreement-words"' not in text and 'id="regret-table"' in text
    assert not (folder / "bare" / "tables" / "similarity.csv").exists() and {path.name for path in one.files} >= {
        "report.html",
        "summary.json",
    }


def shown(*arguments) -> str:
    """What Chromium shows of a page, without its scripts and data."""
    return browse(*arguments).split('<script type="application/json"')[0]


@needs_browser
@pytest.mark.parametrize(("last", "told"), [(1.0, "All sources are alike for this target."), (2.0, "Source 2 of 3 for this target.")])
def test_a_source_has_no_place_among_sources_that_are_all_alike(tmp_path, last, told):
    names = list("abcd")
    values = pd.DataFrame(1.0, names, names)
    values.loc["d", "a"] = last
    values.to_csv(tmp_path / "flat.csv")
    promptatlas.analyse(tmp_path / "flat.csv", output=tmp_path / "out", permutations=9)
    assert told in shown(tmp_path / "out" / "report.html", tmp_path, "#source=b&target=a")


@needs_browser
def test_chromium_shows_the_page_and_a_chosen_cell(folder, tmp_path):
    text = shown(folder / "out" / "report.html", tmp_path, "#source=_plain&target=%24x_%24+cost&view=relationship")
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert len(drawn_cells(text)) == 36 and "Source " in text and "_plain → $x_$ cost" in text
    assert summary["notes"][0].split(": ", 1)[1] in text.replace("&amp;", "&")
    assert (
        "a/b: c" in text
        and "ours against" in text
        and "With other seeds, the" in text
        and "close" in text
        and "undefined" not in text
        and "NaN" not in text
    )


@needs_browser
def test_chromium_shows_a_matrix_of_two_tasks_with_the_reasons(tmp_path):
    promptatlas.analyse(pd.DataFrame([[0.5, 0.25], [0.75, 0.5]], ["a", "b"], ["a", "b"]), output=tmp_path / "two", permutations=9)
    text = shown(tmp_path / "two" / "report.html", tmp_path)
    assert len(drawn_cells(text)) == 4 and "fewer than 4 tasks" in text and "undefined" not in text and "NaN" not in text


def test_the_library_takes_frames_and_names(folder):
    frame = pd.read_csv(folder / "near.csv", index_col=0)
    found = promptatlas.analyse({"one": frame, "two": 2 * frame + 1}, permutations=49)
    agreement = found.tables["statistics"].query("test == 'agreement'")
    assert agreement["estimate"].to_numpy() == pytest.approx(1.0) and not found.files
    assert promptatlas.analyse(pd.DataFrame(np.eye(4)), permutations=9).summary["n_tasks"] == 4
    with pytest.raises(UserError, match="not ndarray"):
        promptatlas.analyse(np.eye(4))
    assert len(lines(found.summary)) == 2 and "who helps whom" in lines(found.summary)[0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--columns", "score"], "write role=name"),
        (["--columns", "score=points", "score=run"], "twice"),
        (["--scale", "gain"], "it needs what was there before the transfer"),
        (["--primary", "far"], "there is no similarity 'far' to be confirmed"),
        (["--permutations", "0"], "'permutations' is 0"),
        (["--families", "{here}/near.csv"], "families need two, `task` and `family`"),
        (["--transpose"], "leave `--transpose` out"),
    ],
)
def test_bad_options_end_with_a_sentence(folder, capsys, options, told):
    with pytest.raises(SystemExit) as end:
        command.main(["analyse", str(folder / "all.csv"), "-o", str(folder / "bad"), *(one.format(here=folder) for one in options)])
    error = capsys.readouterr().err
    assert end.value.code == 1 and told in error and error.count("\n") == 1 and not (folder / "bad").exists()


def test_the_folder_of_a_study_is_left_alone_and_an_earlier_analysis_leaves_nothing(folder, tmp_path):
    (tmp_path / "study" / "cells").mkdir(parents=True)
    with pytest.raises(UserError, match="holds a study"):
        promptatlas.analyse(folder / "near.csv", output=tmp_path / "study", permutations=9)
    assert [path.name for path in tmp_path.rglob("*")] == ["study", "cells"]
    again = tmp_path / "again"
    for name in ("tables/similarity.csv", "figures/heatmap-old-raw.png", "figures/column/givers-old.pdf", "figures/mine.png", "notes.txt"):
        (again / name).parent.mkdir(parents=True, exist_ok=True)
        (again / name).write_text("old")
    promptatlas.analyse(pd.DataFrame(np.eye(2)), output=again, permutations=9)
    left = {path.relative_to(again).as_posix() for path in again.rglob("*") if path.is_file() and path.read_bytes() == b"old"}
    assert left == {"figures/mine.png", "notes.txt"}


def test_a_folder_that_cannot_be_is_told(folder):
    with pytest.raises(UserError, match="cannot be made a folder"):
        promptatlas.analyse(folder / "near.csv", output=folder / "near.csv" / "out", permutations=9)


def test_methods_that_differ_in_signs_have_files_of_their_own():
    class Method:
        def __init__(self, method):
            self.method, self.protocol = method, "matrix"

    assert list(names([Method("a/b"), Method("a:b"), Method("A b")]).values()) == ["a_b", "a_b-2", "A_b-3"]


@pytest.mark.slow
@needs_browser
def test_of_sources_that_are_all_alike_none_is_named_as_the_best(tmp_path):
    promptatlas.analyse(pd.DataFrame(1.0, [*"abcd"], [*"abcd"]), output=tmp_path / "same", permutations=9)
    text = shown(tmp_path / "same" / "report.html", tmp_path)
    best = text.partition('<div id="best"')[2].partition("</table>")[0]
    assert best.count("all sources alike") == 4 and "apparent best" not in text
