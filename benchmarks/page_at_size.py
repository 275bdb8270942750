"""How fast a page of a large study answers: its size, the memory of its script, and the time of each thing a reader does.

    PYTHONPATH=workflow:tests/helpers python benchmarks/page_at_size.py page.html [--tasks 60] [--times 20]

Makes the page of a made-up study (minutes) and plays it in Chromium. A time is from the choice until the browser has painted what
follows of it, the median of many; milliseconds.
"""

import argparse
import json
import statistics as numbers
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from browser import CHROMIUM, CONFIG
from large_study import METHODS, PROTOCOLS, SEEDS, answered_cells, choice_table, pairs_table, prepared
from promptatlas.analysis import statistics
from promptatlas.report import page
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

EPOCHS = 60

# What a reader does, there and back so that every time something changes.
PLAYED = {
    "open the page": None,
    "change the method": ("set({method: DATA.methods[1]})", "set({method: DATA.methods[0]})"),
    "change the view": ("set({view: 'raw'})", "set({view: 'gain_points'})"),
    "who helps whom": ("set({view: 'relationship'})", "set({view: 'gain_points'})"),
    "change the protocol": ("set({protocol: 'init'})", "set({protocol: 'frozen'})"),
    "change the baseline": ("set({baseline: 'own'})", "set({baseline: 'average'})"),
    "choose seeds": ("set({seeds: '1'})", "set({seeds: null})"),
    "choose a cell": ("choose('task_03', 'task_17')", "choose('task_21', 'task_05')"),
    "sort by a column": ("sortBy('column', 'task_07')", "sortBy('column', 'task_08')"),
    "order by name": ("set({order: 'name'})", "set({order: 'similar'})"),
    "fold families": ("set({folded: joined(families())})", "set({folded: null})"),
    "search": ("set({search: 'task 1'})", "set({search: ''})"),
    "zoom": ("zoom(1)", "zoom(0)"),
    "numbers": ("set({numbers: false})", "set({numbers: true})"),
    "light and dark": ("set({theme: 'dark'})", "set({theme: 'light'})"),
}  # fmt: skip
ONE = """async play => {
  const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  await painted();
  const start = performance.now();
  (0, eval)(play);
  await painted();
  return performance.now() - start;
}"""


def write(path: Path, n: int) -> None:
    """The page of a study with all that is told of single cells and all tables but `joint`."""
    transfer, tasks, similarity = transfer_table(n, METHODS, SEEDS, PROTOCOLS), tasks_table(n), similarity_table(n)
    pairs, choice = pairs_table(transfer, tasks), choice_table(METHODS, n)
    table = statistics.analyse(transfer, similarity, tasks, permutations=9)
    explained, contrasts = statistics.explain(transfer, similarity, tasks, 9), statistics.contrast(transfer, similarity, tasks)
    summary = statistics.summary(
        transfer, similarity, table, tasks, permutations=9, choice=choice, explained=explained, contrasts=contrasts, pairs=pairs
    )
    tuning = tuning_table(n, METHODS, SEEDS, EPOCHS)
    tuning[["loss", "validation_score"]] *= np.random.default_rng(0).uniform(0.9, 1.1, (len(tuning), 2))
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning, "pairs": pairs}
    page.write(tables, CONFIG, lambda: answered_cells(transfer, tasks), path, summary, beside=prepared(tasks))


def times(shown: Page, count: int) -> dict[str, float]:
    found = {"open the page": shown.evaluate("performance.timing.loadEventEnd - performance.timing.responseEnd")}
    for name, plays in PLAYED.items():
        if plays:
            for play in plays:
                shown.evaluate(ONE, play)
            found[name] = numbers.median(shown.evaluate(ONE, plays[turn % 2]) for turn in range(count))
    return found | {"point at a cell": hovered(shown, count)}


def hovered(shown: Page, count: int) -> float:
    """From a pointer that is over another cell until its words stand beside it."""
    script = """async place => {
      const cell = grid.cells[place % grid.cells.length][(7 * place) % grid.columns.length];
      const start = performance.now();
      cell.dispatchEvent(new PointerEvent("pointerover", {bubbles: true, clientX: 100, clientY: 100, pointerType: "mouse"}));
      await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
      return performance.now() - start;
    }"""
    return numbers.median(shown.evaluate(script, place) for place in range(count))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path)
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--times", type=int, default=20)
    asked = parser.parse_args()
    if not asked.page.exists():
        write(asked.page, asked.tasks)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1400, "height": 1000})
        shown.goto(f"file://{asked.page.resolve()}#protocol=frozen")
        found = {name: round(value, 1) for name, value in times(shown, asked.times).items()}
        inside = shown.context.new_cdp_session(shown)
        inside.send("HeapProfiler.collectGarbage")
        heap = inside.send("Runtime.getHeapUsage")["usedSize"]
        browser.close()
    sizes = {"page_mb": asked.page.stat().st_size / 1e6, "heap_mb": heap / 1e6}
    print(json.dumps({"milliseconds": found} | {name: round(value, 2) for name, value in sizes.items()}, indent=1))


if __name__ == "__main__":
    main()
