"""Marks, intervals and counts are over whichever baseline is chosen, and go where they cannot be."""

import re

import pandas as pd
import pytest

from browser import CONFIG, needs_browser, pages
from made_up_answers import columns
from promptatlas.analysis import statistics
from promptatlas.analysis.pairs.table import pairs
from promptatlas.report import page
from promptatlas.report.page.pair_columns import OVER
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

WORDS = {
    "frozen": {
        "zero_shot": "zero-shot",
        "untuned": "the untuned prompt",
        "own": "the target’s own prompt",
        "average": "the average source",
    },
    "init": {
        "zero_shot": "zero-shot",
        "untuned": "an untrained start",
        "own": "the own prompt tuned again",
        "average": "the average source",
    },
}
MARKED = """name => grid.rows.flatMap((source, line) => grid.columns.flatMap((target, column) =>
    grid.cells[line][column].classList.contains(name) ? [[source, target]] : []))"""


def write(path, table, protocols=("frozen", "init")):
    transfer, tasks, similarity = transfer_table(5, pair=0.5, noise=0.6, protocols=protocols), tasks_table(5), similarity_table(5)
    table = table(pairs(columns(transfer)))
    summary = statistics.summary(transfer, similarity, statistics.analyse(transfer, similarity, tasks, permutations=9), tasks, pairs=table)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(5), "pairs": table}
    page.write(tables, CONFIG, [], path, summary)
    return table


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("followed") / "report.html"
    return write(path, lambda table: table), path


def cells(rows: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(rows["source"], rows["target"], strict=True))


@needs_browser
def test_rings_clear_cells_panel_and_counts_are_over_the_chosen_baseline(written):
    table, path = written
    with pages() as show:
        shown = show(path)
        for protocol, words in WORDS.items():
            own = table[(table["protocol"] == protocol) & (table["method"] == "coop")]
            best = cells(own[~own["separable_from_best"].fillna(True).astype(bool)])
            sizes = set()
            for baseline, begin in OVER.items():
                low, high = own[f"{begin}low"], own[f"{begin}high"]
                holds, clear = own[(low <= 0) & (high >= 0)], own[(low > 0) | (high < 0)]
                sizes.add(len(holds))
                asked = {"protocol": protocol, "method": "coop", "view": None, "baseline": baseline, "clear": False, "source": None}
                shown.evaluate("asked => set(asked)", asked)
                assert {tuple(one) for one in shown.evaluate(MARKED, "unsure")} == cells(holds), (protocol, baseline)
                assert {tuple(one) for one in shown.evaluate(MARKED, "leading")} == best
                assert f"○ may be no different from {words[baseline]}" in shown.locator("#legend").inner_text()
                pair = own["kind"] == "pair"
                said = f"holds 0: {(pair & (low <= 0) & (high >= 0)).sum()} of the {(pair & low.notna()).sum()} pairs"
                assert said in shown.locator("#matrix-words").inner_text()
                shown.evaluate("set({clear: true})")
                faded = {tuple(one) for one in shown.evaluate(MARKED, "unclear")}
                assert faded & cells(own) == cells(own) - cells(clear) and 0 < len(clear) < len(own)
                number = f"Clear are {(pair & ((low > 0) | (high < 0))).sum()} of 20 pairs"
                assert shown.locator("#clear-words").inner_text().startswith(number)
                row = own[pair & low.notna()].iloc[0]
                shown.evaluate("([source, target]) => choose(source, target)", [row["source"], row["target"]])
                panel = shown.locator("#panel").inner_text()
                ends = re.search(rf"(\S+) points over {words[baseline]} \(95\u202f%, by images and seeds: (\S+) to (\S+)\)", panel)
                expected = [row[f"{begin}{name}"] for name in ("gain", "low", "high")]
                assert [float(one.replace("−", "-")) for one in ends.groups()] == pytest.approx(expected, abs=0.053, rel=0)
                assert ("p adjusted for all pairs" in panel) == (baseline in ("zero_shot", "untuned"))
                assert shown.locator("#unfollowed-words").inner_text() == ""
            assert len(sizes) > 2, "another baseline has other rings"


@needs_browser
def test_of_some_seeds_there_are_no_intervals_and_the_page_says_so(written, show):
    _, path = written
    shown = show(path, "#protocol=frozen&method=coop&clear=on&source=task_01&target=task_02")
    assert shown.evaluate(MARKED, "unclear") and shown.locator("#clear-label").is_visible()
    shown.evaluate('set({seeds: "1,3"})')
    for mark in ("unsure", "leading", "unclear"):
        assert shown.evaluate(MARKED, mark) == [], mark
    words = shown.locator("#unfollowed-words").inner_text()
    assert words.startswith("Of seeds 1 and 3. Intervals count all seeds") and "“only clear cells” is off" in words
    assert not shown.locator("#clear-label").is_visible() and shown.locator("#clear-words").inner_text() == ""
    assert "A ring" not in shown.locator("#matrix-words").inner_text() and "Of all seeds: " in shown.locator("#panel").inner_text()
    assert "seeds 1 and 3" in shown.locator("#tiles").inner_text()
    rows = shown.evaluate("(set({panel: 'pairs'}), [pairsShown.made.columns.map(one => one.name), pairsNow().made.count])")
    assert {"gain", "score"} <= set(rows[0]) and not {"low", "high", "p_adjusted", "clear"} & set(rows[0])


@needs_browser
def test_a_baseline_without_intervals_has_no_rings_and_says_so(tmp_path, show):
    """As with the table of an earlier version."""
    path = tmp_path / "earlier.html"
    write(path, lambda table: table.drop(columns=["average_gain", "average_low", "average_high"]), ("frozen",))
    shown = show(path, "#method=coop&clear=on")
    assert shown.evaluate(MARKED, "unsure") and shown.locator("#unfollowed-words").inner_text() == ""
    shown.evaluate('set({baseline: "average"})')
    assert shown.evaluate(MARKED, "unsure") == shown.evaluate(MARKED, "unclear") == []
    assert shown.evaluate(MARKED, "leading"), "who is best does not hang on the baseline"
    assert "no interval over the average source: no cell has a ring" in shown.locator("#unfollowed-words").inner_text()
    assert "○" not in shown.locator("#legend").inner_text() and "A ring" not in shown.locator("#matrix-words").inner_text()


@needs_browser
def test_numbers_at_the_top_follow_and_say_nothing_that_is_so_by_definition(written, show):
    """Pairs of different tasks gain 0 over the average source by what it is: there own prompts are told of."""
    table, path = written
    shown = show(path, "#protocol=frozen&method=coop&baseline=own")
    own = table[(table["protocol"] == "frozen") & (table["method"] == "coop")]
    told = shown.locator("#tiles div", has_text="points over the target’s own prompt: CoOp, prompts of other tasks").inner_text()
    mean = own.loc[own["kind"] == "pair", "own_gain"].mean()
    assert f"{mean:+.1f}".replace("-", "−") in told
    shown.evaluate('set({baseline: "average"})')
    told = shown.locator("#tiles div", has_text="points over the average source: CoOp, own prompts").inner_text()
    assert f"{own.loc[own['kind'] == 'own', 'average_gain'].mean():+.1f}".replace("-", "−") in told
    assert "prompts of other tasks gain" not in shown.locator("#matrix-words").inner_text()
