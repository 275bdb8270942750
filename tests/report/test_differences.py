"""The shown matrix less another one, as Chromium computes it, held against pandas."""

import pandas as pd
import pytest

from browser import CONFIG, needs_browser, played
from promptatlas.analysis import published, statistics
from promptatlas.report import page
from synthetic_study import cells, elevater_study, similarity_table, tasks_table, transfer_table, tuning_table

METHODS, PROTOCOLS, SEEDS = ("coop", "vpt"), ("frozen", "init"), (1, 2, 3)
PAIRS = """(({rows, columns, value}) =>
  Object.fromEntries(rows.flatMap(source => columns.map(target => [`${source} ${target}`, value(source, target)]))))(shown())"""


def write(tables, path):
    transfer, similarity, tasks = (tables[name] for name in ("transfer", "similarity", "tasks"))
    table = statistics.analyse(transfer, similarity, tasks, permutations=9)
    page.write(tables, CONFIG, cells(transfer, tasks), path, statistics.summary(transfer, similarity, table, tasks))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    transfer = transfer_table(5, METHODS, SEEDS, PROTOCOLS)
    transfer = transfer.drop(transfer.query("method == 'vpt' and source == 'task_02' and target == 'task_04'").index)
    tables = {"transfer": transfer, "tasks": tasks_table(5), "similarity": similarity_table(5), "tuning": tuning_table(5)}
    return transfer, write(tables, tmp_path_factory.mktemp("differences") / "report.html")


def scores(transfer, method="coop", protocol="frozen", seeds=SEEDS):
    """Mean scores over seeds in points, by source and target."""
    rows = transfer.query("method == @method and protocol == @protocol and seed in @seeds")
    return 100 * rows.groupby(["source", "target"])["score"].mean()


def same(found, expected):
    """Every pair that the page shows, and no other, has the expected difference; what one side lacks is null."""
    told = pd.Series({tuple(pair.split()): value for pair, value in found.items() if "largest_class" not in pair}, dtype=float)
    assert len(told) and set(expected.index) <= set(told.index) and told.drop(expected.index).isna().all()
    assert told[expected.index].to_numpy() == pytest.approx(expected.to_numpy(), abs=2e-3, nan_ok=True)


@needs_browser
def test_differences_of_methods_protocols_and_seeds_are_those_of_the_table(made, tmp_path):
    transfer, path = made
    script = f"""
      const found = {{}}, plain = {{seeds: null, compare: null, view: "raw", method: "coop"}};
      const take = (name, choice) => {{ set({{...plain, ...choice}}); found[name] = {PAIRS}; }};
      take("method", {{compare: "method:vpt"}});
      const seen = {{title: shown().title, limits: shown().limits, unit: shown().unit,
        unsure: document.querySelectorAll("#heatmap .unsure, #heatmap .below").length, gone: shown().words("task_02", "task_04"),
        cell: matrixCell("task_01", "task_03").textContent, words: document.getElementById("compare-words").textContent}};
      take("gain", {{compare: "method:vpt", view: "gain_points"}});
      take("protocol", {{compare: "protocol:init"}});
      take("seed", {{compare: "seed:2"}});
      take("one", {{seeds: "2", compare: "others"}});
      take("pair", {{seeds: "1", compare: "seed:3"}});
      const before = state.compare; set({{method: "vpt", seeds: null}}); set({{compare: "method:vpt"}});
      return {{found, seen, before, itself: state.compare}};
    """
    played_back = played(path, tmp_path, script)
    found, seen = played_back["found"], played_back["seen"]
    by_method = (scores(transfer) - scores(transfer, "vpt")).dropna()
    same(found["method"], by_method)
    same(found["gain"], by_method)
    same(found["protocol"], scores(transfer) - scores(transfer, protocol="init"))
    same(found["seed"], scores(transfer, seeds=(1, 3)) - scores(transfer, seeds=(2,)))
    same(found["one"], scores(transfer, seeds=(2,)) - scores(transfer, seeds=(1, 3)))
    same(found["pair"], scores(transfer, seeds=(1,)) - scores(transfer, seeds=(3,)))
    assert seen["title"] == "CoOp less VPT: score as measured" and seen["unit"] == "points" and seen["limits"][0] == -seen["limits"][1]
    tasks = by_method[[pair[0].startswith("task") for pair in by_method.index]]
    assert seen["limits"][1] == pytest.approx(tasks.abs().quantile(0.98), abs=2e-3)
    assert seen["unsure"] == 0 and seen["gone"] == "not in both"
    assert seen["cell"] == f"{by_method['task_01', 'task_03']:+.0f}".replace("-", "\u2212").replace("+0", "0")
    others = tasks[[source != target for source, target in tasks.index]]
    assert f"{len(others)} pairs of different tasks are in both; the first is higher in {100 * (others > 0).mean():.0f}" in seen["words"]
    assert played_back["itself"] is None


@needs_browser
def test_measured_less_published_is_of_the_shares_of_both(tmp_path):
    tables = elevater_study(6)
    path = write(tables, tmp_path / "report.html")
    found = played(
        path, tmp_path, f"set({{method: 'vpt', compare: 'published', view: 'raw'}}); return {{pairs: {PAIRS}, title: shown().title}};"
    )
    names = list(tables["tasks"]["task"])
    printed = published.fig4("vpt").loc[names, names]
    measured = scores(tables["transfer"], "vpt").unstack().loc[names, names]
    share = 100 * (measured / measured.max() - printed / printed.max())
    same({pair: value for pair, value in found["pairs"].items() if value is not None}, share.stack())
    assert found["title"] == "VPT measured less published: share of the target's best score"


@needs_browser
def test_another_study_is_read_from_its_table_and_tasks_without_a_match_are_said(made, tmp_path, show):
    transfer, path = made
    other = transfer_table(5, ("coop",), (7, 8), seed=3).assign(study="before")
    other = other[other["target"] != "task_03"].replace(
        {"target": {"task_04": "elsewhere, of old"}, "source": {"task_04": "elsewhere, of old"}}
    )
    other.to_csv(tmp_path / "transfer.csv", index=False)
    (tmp_path / "tasks.csv").write_text("task,title\na,b\n")
    view = show(path, "#method=coop&view=raw")
    view.locator("#other-file").set_input_files(tmp_path / "tasks.csv")
    view.wait_for_function("!document.getElementById('compare-error').hidden")
    assert "tasks.csv has no column source, target, seed and score" in view.locator("#compare-error").inner_text()
    view.locator("#other-file").set_input_files(tmp_path / "transfer.csv")
    view.wait_for_function("state.compare === 'study'")
    assert view.locator("#compare-error").is_hidden()
    theirs = scores(other, seeds=(7, 8))
    ours = scores(transfer)
    same(view.evaluate(PAIRS), (ours - theirs).dropna())
    words = view.locator("#compare-words").inner_text()
    assert (
        "Only here: Task 3 and Task 4. Only there: elsewhere, of old." in words
        and "study before" in view.locator("#choose-compare").inner_text()
    )
    assert view.evaluate("shown().title") == "CoOp here less CoOp, frozen there: score as measured"
    # Gains are over the other study's own zero-shot prompt.
    view.evaluate("set({view: 'gain_points'})")
    over = [one - one.index.get_level_values("target").map(one.loc["template"]) for one in (ours, theirs)]
    gain = over[0] - over[1]
    same(view.evaluate(PAIRS), gain.dropna())
    # A study less itself is nothing at all.
    transfer.to_csv(tmp_path / "own.csv", index=False)
    view.locator("#other-file").set_input_files(tmp_path / "own.csv")
    view.wait_for_function("otherStudy.title.includes('synthetic')")
    found = [value for value in view.evaluate(PAIRS).values() if value is not None]
    assert len(found) > 5 * 5 and max(map(abs, found)) < 1e-9


@needs_browser
def test_quoted_fields_of_a_table_are_read_whole(made, tmp_path):
    text = "\ufeffa,b,c\r\n" + '1,"x, ""y""\nz",3\r\n' + ',,\n"",2,"q"\n'
    assert played(made[1], tmp_path, f"return records({text!r});") == [
        ["a", "b", "c"],
        ["1", 'x, "y"\nz', "3"],
        ["", "", ""],
        ["", "2", "q"],
    ]
