"""The tabs beside the matrix (graph, similarity, all pairs), played by Chromium and held against the tables by numpy and pandas."""

import io

import numpy as np
import pandas as pd
import pytest

from browser import CONFIG, needs_browser, played
from pairs_of_pages import KEYS, pairs_table
from promptatlas.analysis import statistics
from promptatlas.analysis.statistics.relations import relationships
from promptatlas.report import page
from synthetic_study import cells, similarity_table, tasks_table, transfer_table, tuning_table

TASKS, METHODS, PROTOCOLS = 6, ("coop", "vpt"), ("frozen", "init")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    transfer, tasks, similarity = transfer_table(TASKS, METHODS, protocols=PROTOCOLS), tasks_table(TASKS), similarity_table(TASKS)
    gone = transfer[KEYS].eq(["frozen", "vpt", "task_02", "task_04"]).all(axis=1)
    transfer = transfer[~gone].reset_index(drop=True)
    table = statistics.analyse(transfer, similarity, tasks, permutations=99)
    summary = statistics.summary(transfer, similarity, table, tasks)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(TASKS, METHODS)}
    tables["pairs"] = pairs_table(transfer, tasks)
    path = tmp_path_factory.mktemp("ways") / "report.html"
    page.write(tables, CONFIG, cells(transfer, tasks), path, summary)
    return tables, summary, path


def gains(tables, method, protocol="frozen"):
    """Gains over zero-shot in points, mean over seeds: a series by (source, target) of different tasks."""
    rows = tables["transfer"].query("method == @method and protocol == @protocol and source.str.startswith('task') and source != target")
    mean = rows.groupby(["source", "target"])["score"].mean()
    zero = tables["tasks"].set_index("task")["zero_shot"]
    return 100 * (mean - mean.index.get_level_values("target").map(zero))


@needs_browser
def test_tabs_are_walked_by_keys_and_show_one_way_at_a_time(made, tmp_path):
    script = """
      const seen = [], tabs = [...document.querySelectorAll("#tabs [role=tab]")];
      const note = () => seen.push([document.activeElement.id,
        tabs.filter(tab => tab.getAttribute("aria-selected") === "true").map(tab => tab.id),
        tabs.filter(tab => tab.tabIndex === 0).length,
        [...document.querySelectorAll("[role=tabpanel]")].filter(one => !one.hidden).map(one => one.id)]);
      tabs[0].focus(); note();
      for (const key of ["ArrowRight", "End", "ArrowRight", "ArrowLeft", "ArrowLeft"]) {
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true})); note();
      }
      const pane = tab => document.getElementById(tab.getAttribute("aria-controls"));
      return {seen, owned: tabs.every(tab => pane(tab).getAttribute("aria-labelledby") === tab.id)};
    """
    found = played(made[2], tmp_path, script)
    ways = [["matrix"], ["matrix", "scatter"], ["pairs"], ["matrix"], ["pairs"], ["graph"]]
    own = ["matrix", "scatter", "pairs", "matrix", "pairs", "graph"]
    assert found["seen"] == [
        [f"tab-{tab}", [f"tab-{tab}"], 1, [f"pane-{pane}" for pane in panes]] for tab, panes in zip(own, ways, strict=True)
    ]
    assert found["owned"]


@needs_browser
def test_as_many_arrows_as_values_pass_the_threshold(made, tmp_path):
    tables, _, path = made
    script = """
      const seen = [];
      const note = () => seen.push({threshold: Number(document.getElementById("choose-threshold").value), sign: state.sign,
        method: state.method,
        arrows: [...document.querySelectorAll("#graph .arrow")].map(one => [...arrowPair(one, shown()),
          one.classList.contains("less")])});
      set({panel: "graph"}); note();
      for (const sign of ["both", "more", "less"]) for (const threshold of [2, 9.5]) { set({sign, threshold}); note(); }
      set({sign: "both", method: "vpt"}); note();
      return seen;
    """
    seen = played(path, tmp_path, script, "#view=gain_points")
    assert [one["threshold"] for one in seen[1:7]] == pytest.approx([2, 9.5] * 3)
    for one in seen:
        values = gains(tables, one["method"])
        kept = {"both": values.abs(), "more": values, "less": -values}[one["sign"]] >= one["threshold"]
        expected = {(source, target, bool(value < 0)) for (source, target), value in values[kept].items()}
        assert {tuple(arrow) for arrow in one["arrows"]} == expected and len(one["arrows"]) == len(expected)
    for one in (seen[0], seen[-1]):  # nobody chose the threshold: the smallest of two digits that leaves at most three arrows per task
        strengths = gains(tables, one["method"]).abs().sort_values(ascending=False).to_numpy()
        unit = 10 ** (np.floor(np.log10(one["threshold"])) - 1)
        assert (strengths >= one["threshold"]).sum() <= 3 * TASKS < (strengths >= one["threshold"] - 1.001 * unit).sum()


@needs_browser
def test_a_task_of_the_graph_says_whom_it_helps_and_clear_pairs_can_be_asked_for(made, tmp_path):
    tables, _, path = made
    script = """
      set({panel: "graph", threshold: 1, node: "task_01", view: "gain_points"}); set({threshold: 1});
      const lists = Object.fromEntries([...document.querySelectorAll("#graph-lists p")].map(one => [one.textContent.split(":")[0],
        [...one.querySelectorAll("button")].map(each => each.textContent)]));
      const lit = document.querySelectorAll("#graph .arrow.on").length;
      document.querySelector("#graph-lists button").click();
      const opened = [state.source, state.target];
      set({clear: true, node: null});
      return {lists, lit, opened, clear: [...document.querySelectorAll("#graph .arrow")].map(one => arrowPair(one, shown()))};
    """
    found = played(path, tmp_path, script)
    values = gains(tables, "coop")
    order = {"Helps": (0, 1), "Harms": (0, -1), "Is helped by": (1, 1), "Is harmed by": (1, -1)}
    lit = 0
    for words, (end, sign) in order.items():
        own = values[(values.index.get_level_values(end) == "task_01") & (sign * values >= 1)].sort_values(key=abs, ascending=False)
        names = [f"Task {int(pair[1 - end][-1])} {value:+.1f} points".replace("-", "\u2212") for pair, value in own.items()]
        assert found["lists"].get(words, []) == names
        lit += len(own)
    assert found["lit"] == lit and "task_01" in found["opened"]
    sure = (
        tables["pairs"].query("protocol == 'frozen' and method == 'coop' and (low > 0 or high < 0)").set_index(["source", "target"]).index
    )
    expected = {pair for pair, value in values.items() if pair in sure and abs(value) >= 1}
    assert len(expected) > 0 and {tuple(pair) for pair in found["clear"]} == expected


@needs_browser
def test_dots_are_the_pairs_and_the_freed_ones_have_the_tested_correlation(made, tmp_path):
    tables, summary, path = made
    script = """
      const raw_of = method => viewOf({...state, method, view: "raw"}).values;
      const points = () => scatterDots(shown(), nearness()).map(one => [one.source, one.target, one.x, one.y]);
      set({panel: "scatter", view: "gain_points", measure: "lab_cover"});
      const raw = points();
      set({view: "relationship"});
      return {raw, freed: points(), line: document.querySelectorAll("#scatter .fit").length,
        words: document.getElementById("scatter-words").textContent,
        hole: freed(raw_of("coop")), values: raw_of("coop"),
          vpt: freed(raw_of("vpt"))};
    """
    found = played(path, tmp_path, script)
    near = tables["similarity"].query("measure == 'lab_cover'").set_index(["source", "target"])["value"]
    values = gains(tables, "coop")
    assert {(one[0], one[1]) for one in found["raw"]} == set(values.index) and len(found["raw"]) == len(values)
    for source, target, x, y in found["raw"]:
        assert x == pytest.approx(near[source, target], rel=1e-3)
        assert y == pytest.approx(values[source, target], abs=2e-3)  # of scores with five digits
    tested = next(
        one
        for one in summary["correlations"]
        if (one["measure"], one["method"], one["protocol"], one["response"]) == ("lab_cover", "coop", "frozen", summary["primary_response"])
    )
    dots = np.array([one[2:] for one in found["freed"]])
    assert np.corrcoef(dots.T)[0, 1] == pytest.approx(tested["estimate"], abs=1e-4)
    assert found["line"] == 1 and f"r = {tested['estimate']:.2f}".replace("-", "\u2212") in found["words"]
    assert np.array(found["hole"], dtype=float) == pytest.approx(
        relationships(np.array(found["values"], dtype=float)), abs=1e-9, nan_ok=True
    )
    rows = tables["transfer"].query("protocol == 'frozen' and method == 'vpt'").groupby(["source", "target"])["score"].mean().unstack()
    names = list(tables["tasks"]["task"])
    hole = relationships(rows.loc[names, names].to_numpy())
    assert np.isnan(hole[2, 4]) and np.array(found["vpt"], dtype=float) == pytest.approx(hole, abs=1e-4, nan_ok=True)


@needs_browser
def test_a_dot_lights_its_cell_and_a_cell_its_dot_by_keys_and_pointer(made, tmp_path):
    script = """
      set({panel: "scatter", view: "raw"});
      const box = document.querySelector(".scatter"), lit = () => document.querySelectorAll("#heatmap .pointed").length;
      const press = key => box.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
      box.focus(); press("End");
      const last = scatterDots(shown(), nearness()).sort((a, b) => b.x - a.x)[0];
      const told = document.querySelector(".told").textContent, one = lit();
      press("Enter");
      const opened = [state.source, state.target], wanted = [last.source, last.target];
      const again = document.querySelector(".scatter"), focused = document.activeElement === again;
      again.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft", bubbles: true}));
      const next = document.querySelector(".told").textContent;
      again.dispatchEvent(new Event("mouseleave"));
      const cell = matrixCell("task_01", "task_02");
      cell.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}));
      const ring = Number(document.querySelector("#scatter .ring:not(.kept)").getAttribute("cx"));
      const before = scatterDots(shown(), nearness()).sort((a, b) => b.x - a.x)[1];
      return {focused, next, before: [before.source, before.target].map(title).join(" \u2192 "), told, one, opened, wanted, ring,
        none: lit(), role: again.getAttribute("role"), words: again.getAttribute("aria-label")};
    """
    found = played(made[2], tmp_path, script)
    assert found["one"] == 1 and found["none"] == 0 and found["opened"] == found["wanted"] and found["ring"] > 0
    assert found["focused"] and found["next"].startswith(found["before"])  # from the chosen pair on, not from the first
    assert "similarity" in found["told"] and found["role"] == "application" and "30 pairs" in found["words"]


@needs_browser
def test_all_pairs_are_those_of_the_tables_however_filtered_sorted_and_saved(made, tmp_path):
    tables, _, path = made
    script = """
      const named = () => { const {made, rows} = pairsShown; return rows.map(row => { const one = made.cell(row);
        return [one.protocol, one.method, one.source, one.target]; }); };
      set({panel: "pairs"});
      const own = pairsShown.rows.length;
      set({everything: true});
      const whole = pairsAsCsv(pairsShown.made, pairsShown.rows);
      const drawn = document.querySelectorAll("#pairs-table tbody tr:not(.space)").length,
        counted = document.querySelector("#pairs-table table").getAttribute("aria-rowcount");
      set({where: "gain=>5\\nmethod=vpt\\nprotocol=init"}); const many = named();
      set({where: "p_adjusted=<0.01"}); const sure = named();
      set({where: "score=40..60\\nclear=yes", filter: "task 2"}); const between = named();
      set({where: null, filter: "task 1 task 3"}); const both = named();
      set({filter: "", sorted: "gain:down"}); const sorted = named();
      const head = [...document.querySelectorAll("#pairs-table th")].map(one => [one.textContent, one.getAttribute("aria-sort")]);
      document.querySelector("#pairs-table tbody button").click();
      return {own, whole, drawn, counted, many, sure, between, both, sorted, head, opened: [state.protocol, state.method,
        state.source, state.target]};
    """
    found = played(path, tmp_path, script)
    saved = pd.read_csv(io.StringIO(found["whole"]))
    pairs = tables["pairs"]
    both = saved.merge(pairs, on=KEYS, suffixes=("", "_table"))
    # The page has always the largest class beside the rows of the table.
    assert len(both) == len(pairs) and set(saved["source"]) - set(pairs["source"]) <= {"largest_class"}
    # Protocol init is held against an untrained start.
    for column in ("gain", "low", "high", "p_adjusted"):
        both[f"{column}_table"] = both[f"{column}_table"].where(both["protocol"] == "frozen", both[f"untuned_{column}"])
    # Gains are of scores with five digits, ends of intervals are known to 1/640 of a point.
    for column, near in (("score", 1e-5), ("gain", 1e-3), ("low", 0.0016), ("high", 0.0016), ("p_adjusted", 1e-4)):
        assert both[column].to_numpy() == pytest.approx(both[f"{column}_table"].to_numpy(), rel=1e-4, abs=near, nan_ok=True), column
    assert (both["seeds"] == 3).all() and found["counted"] == str(len(saved) + 2) and found["drawn"] < 60 < len(saved)
    assert found["own"] == len(saved.query("protocol == 'frozen' and method == 'coop'"))

    def same(got, query):
        chosen = saved.query(query)[KEYS].to_numpy().tolist()
        assert chosen and sorted(got) == sorted(chosen)

    same(found["many"], "gain > 5 and method == 'vpt' and protocol == 'init'")
    same(found["sure"], "p_adjusted < 0.01")
    same(found["between"], "0.4 <= score <= 0.6 and clear == 'yes' and (source == 'task_02' or target == 'task_02')")
    same(found["both"], "(source == 'task_01' and target == 'task_03') or (source == 'task_03' and target == 'task_01')")
    values = [saved.set_index(KEYS)["gain"][tuple(one)] for one in found["sorted"]]
    known = [one for one in values if np.isfinite(one)]
    assert known == sorted(known, reverse=True) and np.isnan(values[len(known) :]).all() and len(values) == len(saved)
    assert ["gain, points", "descending"] in found["head"] and found["opened"] == found["sorted"][0]


@needs_browser
def test_what_may_be_asked_of_a_number(made, tmp_path):
    script = """
      const asked = [">5", "5", "<=-2", "\u2264 \u22122", "1..3", "=2", "1e-3", "about 5", "60%"];
      return asked.map(one => { const test = numberTest(one); return test && [-3, -2, 0, 0.01, 1, 2, 3, 5, 6, 60, NaN].filter(test); });
    """
    at_least, up_to = [5, 6, 60], [-3, -2]
    found = played(made[2], tmp_path, script)
    assert found == [[6, 60], at_least, up_to, up_to, [1, 2, 3], [2], [0.01, 1, 2, 3, 5, 6, 60], None, [60]]


@needs_browser
def test_every_tab_opens_for_one_task_and_for_names_that_nobody_would_give(tmp_path):
    transfer, tasks = (
        transfer_table(2, ("coop",), (1,)),
        tasks_table(2).assign(title=["<b>x</b> & \u202eabc " + 30 * "long ", "\u65e5\u672c \U0001f600"]),
    )
    for n in (1, 2):
        names = list(tasks["task"][:n])
        tables = {"transfer": transfer[transfer["target"].isin(names) & ~transfer["source"].isin(set(tasks["task"]) - set(names))]}
        tables |= {"tasks": tasks[:n], "similarity": similarity_table(n), "tuning": tuning_table(n, ("coop",), (1,))}
        table = statistics.analyse(tables["transfer"], tables["similarity"], tables["tasks"], permutations=9)
        path = tmp_path / f"{n}.html"
        page.write(tables, CONFIG, [], path, statistics.summary(tables["transfer"], tables["similarity"], table, tables["tasks"]))
        script = """
          const found = {};
          for (const panel of ["graph", "scatter", "pairs"]) {
            set({panel, view: "raw"});
            found[panel] = document.getElementById(`pane-${panel}`).innerText;
          }
          const count = what => document.querySelectorAll(what).length;
          return {...found, bold: count("#explorer b"), arrows: count("#graph .arrow")};
        """
        found = played(path, tmp_path, script)
        assert found["bold"] == 0 and found["arrows"] == n * (n - 1)
        assert f"{n * (n + 2)} of {n * (n + 2)} rows" in found["pairs"]  # the zero-shot and the untuned prompt are sources, too
        assert ("There is no arrow to draw" in found["graph"]) == (n == 1) and ("No pair has both" in found["scatter"]) == (n == 1)
        assert "NaN" not in str(found) and "undefined" not in str(found)
