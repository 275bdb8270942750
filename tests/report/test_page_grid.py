"""The matrix as a grid, played by Chromium: reached by keys, sorted by labels, folded, searched, of a size that fits, read by name."""

import re

import numpy as np
import pytest

from browser import CONFIG, needs_browser
from page_study import study
from promptatlas.analysis.statistics import views
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.report import page
from synthetic_study import cells

N = 8
CELLS = "#heatmap td.cell:not(.margin)"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    tables, summary = study(N)
    path = tmp_path_factory.mktemp("grid") / "report.html"
    page.write(tables, CONFIG, cells(tables["transfer"], tables["tasks"]), path, summary)
    coop = next(one for one in collect(tables["transfer"], tables["tasks"]) if one.method == "coop")
    return tables["tasks"], views.shown(coop, "gain_points")[0], path


def heads(shown, scope):
    return shown.evaluate(f"[...document.querySelectorAll('#heatmap th[scope={scope}] .label')].map(one => one.textContent)")


def rows(shown):
    return heads(shown, "row")[1 : N + 1]  # below the means of columns, above the rows that are no tasks


@needs_browser
def test_one_stop_for_tab_and_keys_to_every_cell_and_label(written, show):
    shown = show(written[2], "#method=coop&order=name")
    assert shown.locator('#heatmap [tabindex="0"]').count() == 1
    shown.focus('#heatmap [tabindex="0"]')

    def after(*keys):
        for key in keys:
            shown.keyboard.press(key)
        return shown.evaluate("[document.activeElement.getAttribute('aria-label') || document.activeElement.textContent]")[0]

    assert after("End").startswith("Task 0 to Task 7: ")
    assert " to Task 7: " in after("Control+End")
    assert after("Control+Home").startswith("Task 0 to Task 0: ")
    assert after("ArrowDown", "ArrowRight").startswith("Task 1 to Task 1: ")
    assert after("PageUp", "ArrowUp") == "Task 1" and after("ArrowUp") == "Task 1"
    assert after("Enter") == "Task 1" and shown.evaluate("state.sort") == "column:task_01", "the focus stays on the label"
    assert shown.locator('#heatmap [tabindex="0"]').count() == 1
    after("ArrowDown", "Home", "Enter")
    assert shown.evaluate("state.target") == "task_00"


@needs_browser
def test_a_label_sorts_by_its_line_then_backwards_then_not(written, show):
    _, gains, path = written
    shown = show(path, "#method=coop&order=name")
    column = shown.locator("#heatmap thead th", has_text="Task 3")
    best = [f"Task {index}" for index in np.argsort(-gains[:, 3])]
    for expected, said in ((best, "descending"), (best[::-1], "ascending"), ([f"Task {index}" for index in range(N)], None)):
        column.click()
        assert rows(shown) == expected and column.get_attribute("aria-sort") == said
    assert heads(shown, "col")[:N] == [f"Task {index}" for index in range(N)]
    shown.locator("#heatmap tbody th", has_text="Task 5").click()
    assert heads(shown, "col")[:N] == [f"Task {index}" for index in np.argsort(-gains[5])]


@needs_browser
def test_a_folded_family_is_one_line_of_means_over_pairs_of_different_tasks(written, show):
    tasks, gains, path = written
    families = list(tasks["family"])
    double = next(name for name in families if families.count(name) > 1)
    members = [index for index, name in enumerate(families) if name == double]
    shown = show(path, "#method=coop&order=name")
    shown.click("#choose-folded summary")
    shown.locator("#choose-folded label", has_text=double).click()
    label = f"{double} ({len(members)} tasks)"
    assert rows(shown)[: N - len(members) + 1].count(label) == 1 and f"Task {members[0]}" not in rows(shown)
    others = [index for index in range(N) if index not in members]
    value = "([source, target]) => shown().value(source, target)"
    assert shown.evaluate(value, [f"family:{double}", f"task_{others[0]:02d}"]) == pytest.approx(gains[members, others[0]].mean(), abs=2e-3)
    inside = [gains[a, b] for a in members for b in members if a != b]
    assert shown.evaluate(value, [f"family:{double}"] * 2) == pytest.approx(np.mean(inside), abs=2e-3)
    name = shown.locator(f'{CELLS}[aria-label^="{label} to {label}: "]').get_attribute("aria-label")
    assert name.endswith("mean over pairs of different tasks")
    shown.locator(f'{CELLS}[aria-label^="{label} to Task {others[0]}: "]').click()
    assert shown.evaluate("state.folded") is None and f"Task {members[0]}" in rows(shown), "a cell of a family opens it"


@needs_browser
def test_margins_are_means_over_other_tasks(written, show):
    _, gains, path = written
    off = np.where(np.eye(N, dtype=bool), np.nan, gains)
    shown = show(path, "#method=coop&order=name")

    def margin(label):
        found = shown.locator(f'#heatmap td.margin[aria-label^="{label}"]').get_attribute("aria-label")
        return float(re.search(r": ([+−]?\d+) points", found)[1].replace("−", "-"))

    assert margin("Task 2 to other tasks, mean") == pytest.approx(np.nanmean(off[2]), abs=0.51)
    assert margin("Other tasks to Task 5, mean") == pytest.approx(np.nanmean(off[:, 5]), abs=0.51)
    shown.select_option("#choose-view", "relationship")
    assert shown.locator("#heatmap td.margin").count() == 0


@needs_browser
def test_search_lights_lines_and_dims_what_is_in_none(written, show):
    shown = show(written[2], "#method=coop&order=name")
    shown.fill("#choose-search", "task 3")
    assert shown.evaluate("[...document.querySelectorAll('#heatmap th.lit')].map(one => one.textContent)") == ["Task 3", "Task 3"]
    assert shown.locator("#heatmap td.dim").count() == (N + 2) * N - (N + N + 1)
    shown.fill("#choose-search", "nothing like it")
    assert shown.locator("#heatmap td.dim").count() == 0


@needs_browser
def test_cells_fit_the_width_and_labels_stay_in_sight_on_a_phone(written, show):
    shown = show(written[2], "#method=coop", width=360, height=800)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360
    at = "() => { const box = document.querySelector('#heatmap tbody th').getBoundingClientRect(); return [box.left, box.right]; }"
    before = shown.evaluate(at)
    shown.evaluate("document.getElementById('heatmap').scrollLeft = 120")
    assert shown.evaluate("document.getElementById('heatmap').scrollLeft") > 20 and shown.evaluate(at) == pytest.approx(before, abs=1)
    cell = shown.locator(CELLS).first.bounding_box()
    assert cell["width"] >= 24 and cell["height"] >= 24
    wide = show(written[2], "#method=coop", width=1400)
    assert wide.evaluate("(box => box.scrollWidth <= box.clientWidth)(document.getElementById('heatmap'))")


@needs_browser
def test_zoom_changes_cells_and_small_ones_have_no_numbers(written, show):
    shown = show(written[2], "#method=coop")
    size = "document.querySelector('#heatmap td.cell').getBoundingClientRect().width"
    fits = shown.evaluate(size)
    shown.click("#zoom-in")
    assert shown.evaluate(size) > fits and shown.locator(CELLS).first.inner_text()
    for _ in range(6):
        shown.click("#zoom-out")
    assert shown.evaluate(size) < 16 and not shown.locator(CELLS).first.inner_text()
    assert "points" in shown.locator(CELLS).first.get_attribute("aria-label")
    shown.click("#zoom-fit")
    assert shown.evaluate(size) == fits and "zoom" not in shown.url


@needs_browser
def test_numbers_are_readable_on_every_colour_of_both_themes(written, show):
    shown = show(written[2], "#method=coop")
    script = """theme => {
      set({theme});
      const lines = [];
      for (const view of DATA.views) {
        const [low, high] = limitsOf(view);
        for (let step = 0; step <= 400; step++) {
          const {fill, ink} = paint(low + ((high - low) * step) / 400, view);
          lines.push([fill.match(/\\d+/g).map(Number), channels(ink)]);
        }
      }
      return lines;
    }"""

    def luminance(rgb):
        share = np.asarray(rgb) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    for theme in ("light", "dark"):
        pairs = np.array(shown.evaluate(script, theme), dtype=float)
        high, low = np.sort([luminance(pairs[:, 0]), luminance(pairs[:, 1])], axis=0)[::-1]
        assert len(pairs) > 2000 and ((high + 0.05) / (low + 0.05)).min() >= 4.5


@needs_browser
def test_a_cell_is_named_by_what_it_shows(written, show):
    shown = show(written[2], "#method=vpt&order=name")
    pairs = shown.evaluate(f"[...document.querySelectorAll('{CELLS}')].map(one => [one.textContent, one.getAttribute('aria-label')])")
    assert len(pairs) == (N + 2) * N
    for number, name in pairs:
        assert f": {number} points" in name if number else name.endswith("Task 4: missing")
    assert sum(not number for number, _ in pairs) == 1
