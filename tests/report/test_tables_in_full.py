"""Tables of the page that are saved as CSV have their numbers in full, those that are read have them as they are shown."""

import csv
import io

import pytest

from browser import needs_browser
from hostile_names import analysed_page, hostile_study, study_page


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return study_page(tmp_path_factory.mktemp("full") / "report.html")


def read(page, which: str, in_full: bool = True) -> tuple[list[str], list[dict[str, str]]]:
    """The head and rows of a table, in full as its CSV has them."""
    asked = f"readTable(document.querySelector({which!r}), {str(in_full).lower()})"
    text = page.evaluate(f"asCsv({asked})")
    lines = list(csv.reader(io.StringIO(text)))
    assert {len(line) for line in lines} == {len(lines[0])} and len(set(lines[0])) == len(lines[0])
    return lines[0], [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


@needs_browser
def test_numbers_and_intervals_are_those_of_the_summary_each_in_a_column(path, show):
    _, summary, _ = hostile_study()
    page = show(path, "#method=vpt")
    head, rows = read(page, "#similarity-table table")
    assert head == [
        "method", "similarity", "r", "95 % interval, low", "95 % interval, high",
        "p", "p, all measures", "p, beyond family", "p, confirmatory", "",
    ]  # fmt: skip
    records = [one for one in summary["correlations"] if one["response"] == summary["primary_response"] and one["protocol"] == "frozen"]
    assert len(rows) == len(records) > 3
    keys = {"r": "estimate", "95 % interval, low": "low", "95 % interval, high": "high", "p": "p", "p, all measures": "p_max_t"}
    by_r = {f"{one['estimate']:.12g}": one for one in records}
    for row in rows:
        one = by_r[f"{float(row['r']):.12g}"]
        for column, key in keys.items():
            assert (row[column] == "") if one[key] is None else float(row[column]) == pytest.approx(one[key], rel=1e-12), column
    shown_head, shown = read(page, "#similarity-table table", in_full=False)
    assert "95 % interval" in shown_head and all(len(row["r"].lstrip("-")) == 4 for row in shown)


@needs_browser
def test_sources_of_a_target_are_named_apart_from_their_numbers(path, show):
    _, summary, _ = hostile_study()
    page = show(path, "#method=vpt")
    head, rows = read(page, "#best table")
    assert head[:6] == ["target", "best source", "best source, mean", "best source, low", "best source, high", "best source, place"]
    best = next(one for one in summary["by_method"] if (one["method"], one["protocol"]) == ("vpt", "frozen"))["best_sources"]
    order = page.evaluate("ordered()")
    found = dict(zip(order, rows, strict=True))
    tried = 0
    for one in best["targets"]:
        first = next(iter(one["sources"]), None)
        if first is None or first["held_out"] is None:
            continue
        row, tried = found[one["target"]], tried + 1
        assert row["best source"] == page.evaluate("name => title(name)", first["source"])
        numbers = [float(row[f"best source, {name}"]) for name in ("mean", "low", "high", "place")]
        # Gains on the page are of scores with five digits.
        assert numbers == pytest.approx([first[key] for key in ("apparent", "low", "high", "held_out")], abs=2e-3)
    assert tried > 5


@needs_browser
def test_shares_are_numbers_and_no_table_keeps_a_rounded_percentage(path, show):
    """What is written in % are shares of 0 to 1 in the file, as the tables of the study have them."""
    tables, _, _ = hostile_study()
    page = show(path, "#method=vpt&source=task_03&target=task_04")
    _, rows = read(page, "#tasks table")
    assert [float(row["zero-shot"]) for row in rows] == pytest.approx(
        [*tables["tasks"]["zero_shot"]], rel=1e-5
    )  # of five digits on the page
    page.evaluate("document.querySelectorAll('details:not(.save)').forEach(one => { one.open = true; })")
    page.wait_for_timeout(100)
    cells = page.evaluate("""() => [...document.querySelectorAll('main table:not([role=grid])')]
        .filter(one => !one.closest('[hidden], .save'))
        .flatMap(one => readTable(one, true).rows.flat().map(cell => [partTitle(one), String(cell)]))""")
    assert len(cells) > 100
    assert [(where, cell) for where, cell in cells if cell.strip().endswith("%") and cell.strip()[0].isdigit()] == []


@needs_browser
def test_a_table_of_which_only_rows_in_sight_are_drawn_is_saved_whole(path, show):
    page = show(path, "#method=vpt&panel=pairs&view=gain_points")
    head, rows = read(page, ".window table")
    assert {"source", "target", "score"} <= {*head} and len(rows) == 14 * 12
    drawn = page.locator("#pairs-table tbody tr:not(.space)").count()
    assert drawn < len(rows)
    scores = {(row["source"], row["target"]): row["score"] for row in rows}
    known = page.evaluate("DATA.tasks.map(one => [one.name, value(one.name, 'task_05', 'raw')])")
    assert [float(scores[name, "task_05"]) for name, _ in known] == pytest.approx([number for _, number in known], rel=1e-9)


@needs_browser
def test_tables_of_a_given_matrix_have_their_numbers_in_full(tmp_path, show):
    page = show(analysed_page(tmp_path))
    head, rows = read(page, "#effects table")
    effects = page.evaluate("bySummary().givers.map(one => one.effect)")
    assert [float(row[head[1]]) for row in rows] == pytest.approx(effects, rel=1e-12) and len(effects) > 5
    head, rows = read(page, "#compared table")
    differences = page.evaluate("SUMMARY.compared.filter(one => one.what === 'difference').map(one => [one.estimate, one.low, one.high])")
    found = [float(row[name]) for row in rows for name in head[1:4]]
    assert found == pytest.approx([number for one in differences for number in one], rel=1e-12)
