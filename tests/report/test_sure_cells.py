"""The page says how sure each cell is, marks those that may be nothing, and has no word of it in studies without the table."""

import base64
import re

import numpy as np
import pandas as pd
import pytest

from browser import CONFIG, browse, drawn_cells, embedded, needs_browser, pages
from made_up_answers import METRIC, columns
from promptatlas.analysis import statistics
from promptatlas.analysis.pairs.table import pairs
from promptatlas.report import page
from promptatlas.report.page import pair_columns
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table


@pytest.fixture(scope="module", params=["frozen", "init"])
def written(request, tmp_path_factory):
    transfer, tasks, similarity = transfer_table(5, protocols=(request.param,)), tasks_table(5), similarity_table(5)
    table = pairs(columns(transfer))
    found = statistics.analyse(transfer, similarity, tasks, permutations=9)
    summary = statistics.summary(transfer, similarity, found, tasks, pairs=table)
    path = tmp_path_factory.mktemp("sure") / "report.html"
    page.write(
        {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(5), "pairs": table},
        CONFIG,
        [],
        path,
        summary,
    )
    return request.param, table, path


def against(protocol: str) -> str:
    """What a protocol's gains are shown over first, as columns of the table begin."""
    return "untuned_" if protocol == "init" else ""


@needs_browser
def test_every_row_is_embedded_and_the_page_reads_it(written):
    protocol, table, path = written
    assert embedded(path)["pairs"]["reasons"] == [METRIC]
    with pages() as show:
        read = """rows => rows.map(([protocol, method, source, target]) => Object.keys(BASELINES).map(baseline => {
            state.protocol = protocol, state.method = method;
            const gain = mean(there(gains(source, target, baseline).map(one => one[1])));
            return {gain, ...pairOf(key(), source, target, baseline)};
        }))"""
        keys = [[protocol, row["method"], row["source"], row["target"]] for row in table.to_dict("records")]
        known = show(path).evaluate(read, keys)
    for over, row in zip(known, table.to_dict("records"), strict=True):
        for cell, begin in zip(over, pair_columns.OVER.values(), strict=True):
            read_as(cell["gain"], row[f"{begin}gain"], abs=1e-3)
            for name in ("low", "high"):
                read_as(cell[name], row[f"{begin}{name}"], abs=0.5 / pair_columns.STEPS, rel=0)
                assert cell[name] is None or np.sign(cell[name]) == np.sign(row[f"{begin}{name}"])
            read_as(cell["p"], row.get(f"{begin}p_adjusted"), rel=3e-4)
        cell = over[0]
        best = [None if pd.isna(row[name]) else row[name] for name in ("separable_from_best", "best_set")]
        assert [cell["apart"], cell["inBest"]] == best and cell["best"] == (row["best"] == row["source"])
        assert cell["seeds"] == (row["counted"] == "images and seeds") and cell["reason"] == (0 if row["reason"] else None)


def read_as(number: float | None, expected: float | None, **tolerance: float) -> None:
    """Nothing where the table has nothing, but for gains of a prompt over itself, which the page knows to be 0."""
    if expected is None or pd.isna(expected):
        assert number is None or number == 0
    else:
        assert number == pytest.approx(expected, **tolerance)


def test_rounding_never_moves_an_end_onto_0_or_over_it():
    given = pd.Series([1e-9, -1e-9, 0.0, 0.0015, -0.0015, 41.2345, -100.0, 100.0, np.nan])
    steps = pair_columns.end_steps(given)
    assert (np.sign(steps[:-1]) == np.sign(given[:-1])).all() and steps[-1] == pair_columns.NO_END
    assert np.abs(steps[3:-1] / pair_columns.STEPS - given[3:-1]).max() <= 0.5 / pair_columns.STEPS + 0.0016
    assert np.abs(steps[:-1]).max() < 2**15, "16 bits hold 100 points"


def test_a_pair_that_the_table_lacks_is_no_pair_with_zeros(written):
    protocol, table, _ = written
    method = table["method"].iloc[0]
    part = table[table["method"] == method].iloc[3:]
    packed = pair_columns.sureness(part)["cells"][f"{protocol}/{method}"]
    there = np.frombuffer(base64.b64decode(packed["flags"]), np.uint8).reshape(len(packed["sources"]), len(packed["targets"])) & 1
    expected = part.assign(one=1).pivot_table(index="source", columns="target", values="one", fill_value=0)
    assert (there == expected.loc[packed["sources"], packed["targets"]].to_numpy()).all() and (there == 0).any()
    for over in packed["over"].values():
        ends = np.frombuffer(base64.b64decode(over["low"]), "<i2").reshape(there.shape)
        assert (ends[there == 0] == pair_columns.NO_END).all() and (ends != pair_columns.NO_END).any()


@needs_browser
def test_a_ring_marks_what_may_be_nothing_and_words_say_so(written, tmp_path):
    protocol, table, path = written
    document = browse(path, tmp_path, "#method=coop&view=gain_points")
    own = table[(table["method"] == "coop") & table[f"{against(protocol)}low"].notna()]
    holds_0 = own[(own[f"{against(protocol)}low"] <= 0) & (own[f"{against(protocol)}high"] >= 0)]
    assert 0 < len(holds_0) < len(own)
    heatmap = document.partition('id="heatmap"')[2].partition("</svg>")[0]
    assert sum("unsure" in cell for cell, _ in drawn_cells(document)) == len(holds_0)
    over = "an untrained start" if protocol == "init" else "zero-shot"
    assert len(re.findall(rf'aria-label="[^"]*May be no different from {over}: its interval holds 0', heatmap)) == len(holds_0)
    assert f"\u25cb may be no different from {over}" in document.partition('id="legend"')[2].partition("</div>")[0]
    pair = holds_0[holds_0["kind"] == "pair"]
    assert f"holds 0: {len(pair)} of the {(own['kind'] == 'pair').sum()} pairs that have an interval" in re.sub(r"<[^>]+>", "", document)


@needs_browser
def test_only_clear_cells_can_be_asked_for(written, show):
    """Clear: the interval does not hold 0; a pair without an interval is not."""
    protocol, table, path = written
    shown = show(path, "#method=coop")
    shown.check("#choose-clear")
    own = table[table["method"] == "coop"]
    clear = own[(own[f"{against(protocol)}low"] > 0) | (own[f"{against(protocol)}high"] < 0)]
    cells = "#heatmap td.cell:not(.margin)"
    assert len(clear) > 0 and shown.locator(f"{cells}:not(.unclear)").count() == len(clear)
    assert "clear=on" in shown.url


@needs_browser
def test_the_chosen_cell_has_its_interval_and_its_place(written, tmp_path):
    protocol, table, path = written
    row = table[(table["method"] == "coop") & (table["kind"] == "pair") & (table["target"] == "task_01")]
    for one in row.to_dict("records")[:2]:
        document = browse(path, tmp_path, f"#method=coop&source={one['source']}&target=task_01")
        panel = re.sub(r"<[^>]+>", " ", document.partition('id="panel"')[2].partition("</aside>")[0])
        said = re.search(r"(\S+) points over [^()]*\(95\u202f%, by images and seeds: (\S+) to (\S+)\)", panel)
        expected = [one[f"{against(protocol)}{name}"] for name in ("gain", "low", "high")]
        assert [float(number.replace("\u2212", "-")) for number in said.groups()] == pytest.approx(expected, abs=0.053, rel=0)
        if one["best"] == one["source"]:
            assert "The column\u2019s best source;" in panel
        else:
            assert ("Clearly below" if one["separable_from_best"] else "Not separable from") + " the column\u2019s best source." in panel


@needs_browser
def test_why_there_is_no_interval_is_said(written, tmp_path):
    document = browse(written[2], tmp_path, "#method=vpt&source=task_00&target=task_04")
    assert f"No interval: {METRIC}." in document.partition('id="panel"')[2]


@needs_browser
def test_a_study_without_the_table_says_nothing_of_it(tmp_path):
    transfer, tasks, similarity = transfer_table(4), tasks_table(4), similarity_table(4)
    summary = statistics.summary(transfer, similarity, statistics.analyse(transfer, similarity, tasks, permutations=9), tasks)
    page.write(
        {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(4)},
        CONFIG,
        [],
        tmp_path / "report.html",
        summary,
    )
    document = re.sub(r"<script.*?</script>", "", browse(tmp_path / "report.html", tmp_path), flags=re.S)
    assert (
        embedded(tmp_path / "report.html")["pairs"] is None
        and "unsure" not in document.partition("</style>")[2]
        and "A ring" not in document
    )


@needs_browser
def test_seeds_that_disagree_and_sources_that_may_be_best_are_marked(tmp_path, show):
    transfer, tasks, similarity = transfer_table(5, pair=0.5, noise=0.6), tasks_table(5), similarity_table(5)
    table = pairs(columns(transfer))
    summary = statistics.summary(transfer, similarity, statistics.analyse(transfer, similarity, tasks, permutations=9), tasks, pairs=table)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(5), "pairs": table}
    page.write(tables, CONFIG, [], tmp_path / "report.html", summary)
    drawn = show(tmp_path / "report.html", "#method=coop&view=gain_points")
    own = transfer[(transfer["method"] == "coop") & ~transfer["source"].isin(["template"])].copy()
    own["gain"] = own["score"] - own["target"].map(tasks.set_index("task")["zero_shot"])
    sides = own.groupby(["source", "target"])["gain"].agg(["min", "max"])
    split = set(sides.index[(sides["min"] < 0) & (sides["max"] > 0)])
    best = table[(table["method"] == "coop") & ~table["separable_from_best"].fillna(True).astype(bool)]
    best = set(zip(best["source"], best["target"], strict=True))
    marked = """name => grid.rows.flatMap((source, line) => grid.columns.flatMap((target, column) =>
        grid.cells[line][column].classList.contains(name) ? [[source, target]] : []))"""
    assert 0 < len(split) < len(sides) and 0 < len(best) < len(sides)
    assert {tuple(one) for one in drawn.evaluate(marked, "disagree")} == split
    assert {tuple(one) for one in drawn.evaluate(marked, "leading")} == best
    assert drawn.locator('#heatmap [aria-label*="Seeds disagree on its sign"]').count() == len(split)
    assert drawn.locator('#heatmap [aria-label*="May be the best source of its column"]').count() == len(best)
    legend = drawn.locator("#legend").inner_text()
    assert "seeds disagree on the sign" in legend and "may be the best source of its column" in legend
    drawn.evaluate("set({clear: true})")
    tested = table[(table["method"] == "coop") & (table["kind"] == "pair")]
    sure = ((tested["low"] > 0) | (tested["high"] < 0)).sum()
    assert drawn.locator("#clear-words").inner_text().startswith(f"Clear are {sure} of 20 pairs of different tasks")
    drawn.evaluate('set({clear: false, seeds: "2"})')
    assert drawn.evaluate(marked, "disagree") == [], "one seed cannot disagree"
