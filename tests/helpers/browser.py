"""A page as its own script has it, and as Chromium shows it: one browser for all tests of a file."""

import base64
import gzip
import json
import re
import shutil
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CONFIG = {"study": "mini", "results": "results", "backbone": {"model": "mini", "pretrained": "mini"}}
MILLISECONDS = 4000  # of the page's own time, which passes as fast as the page allows


def embedded(path) -> dict:
    """The data of a page; what it unpacks when a cell is opened is in its place, under `cells`, `tuning`, `classes.scores` and `images`."""
    blocks = dict(re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', path.read_text(), re.S))
    data = json.loads(blocks["data"])
    if folded := data.pop("folded", None):
        heavy = json.loads(zlib.decompress(base64.b64decode(folded["text"]), wbits=-15))
        data["summary"] |= heavy.pop("summary")
        data |= heavy
    if "later" not in blocks:
        return data
    later = json.loads(blocks["later"])
    data["cells"] = {name: cells_of(text) for name, text in later["cells"].items()}
    data["tuning"] = {name: unpacked(text) for name, text in later["tuning"].items()}
    scores = {
        key: {source: {target: cell["classes"] for target, cell in targets.items()} for source, targets in sources.items()}
        for key, sources in data["cells"].items()
    }
    return data | {"classes": data["classes"] | {"scores": scores}, "images": json.loads(blocks["images"])}


def unpacked(text: str):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def cells_of(text: str) -> dict:
    """source -> target -> what a page tells of the cell, out of a block of columns."""
    content = gzip.decompress(base64.b64decode(text))
    start = 4 + int.from_bytes(content[:4], "little")
    head, cells = json.loads(content[4:start]), defaultdict(lambda: defaultdict(dict))
    for kind, place, rows, width, count in head["columns"]:
        names = head["sources"] if rows is None else [head["sources"][row] for row in rows]
        planes = np.frombuffer(content[start:], np.uint8, width * count * len(names)).reshape(width, count, len(names))
        start += planes.size
        for name, bytes_of in zip(names, planes.transpose(2, 1, 0), strict=True):
            numbers = [int.from_bytes(bytes(one), "little") for one in bytes_of]
            cells[name][head["targets"][place]][kind] = [None if one == 256**width - 1 else one for one in numbers]
    for targets in cells.values():
        for target, cell in targets.items():
            _read(cell, head["classes"][head["targets"].index(target)], head["seeds"])
    return {name: dict(targets) for name, targets in cells.items()}


def _read(cell: dict, classes: int, seeds: list[int]) -> None:
    for kind in ("seeds", "rest"):
        if kind in cell:
            (cell[kind],) = cell[kind]
    if "confused" in cell:
        times = np.cumsum([one for one in cell.pop("times") if one is not None][::-1])[::-1].tolist()
        cell["confused"] = [
            [*divmod(code, classes), count] for code, count in zip([c for c in cell["confused"] if c is not None], times, strict=True)
        ]
    if "images" in cell:
        cell["images"] = [one / 10 for one in cell["images"]]
    if "fingerprints" in cell:
        hashes = [np.reshape(cell.pop(kind), (len(seeds), -1)) for kind in ("fingerprints", "prompts")]
        cell["marks"] = {
            str(seed): ["".join(f"{byte:02x}" for byte in one[place] if byte is not None) for one in hashes]
            for place, seed in enumerate(seeds)
        }


class Browser:
    """Started when it is first asked for, and stopped after a file of tests: while it runs, nothing else may use asyncio."""

    def __init__(self) -> None:
        self.driver: Any = None
        self.chromium: Any = None

    def start(self) -> Any:
        if self.chromium is None:
            from playwright.sync_api import sync_playwright

            self.driver = sync_playwright().start()
            self.chromium = self.driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        return self.chromium

    def stop(self) -> None:
        if self.driver is not None:
            if self.chromium is not None:
                self.chromium.close()
            self.driver.stop()
        self.driver = self.chromium = None


BROWSER = Browser()


class Show(Protocol):
    def __call__(self, path: Path, address: str = "", **how: Any) -> Any: ...


@contextmanager
def pages() -> Iterator[Show]:
    """A function that shows a page and gives it as Playwright's `Page`; what a page throws or writes as an error fails the test.

    width, height: of the window in pixels; further keywords are those of Playwright's `new_context`, such as color_scheme,
    reduced_motion and has_touch.
    """
    shown, errors = [], []

    def show(path: Path, address: str = "", *, width: int = 1400, height: int = 900, **how: Any) -> Any:
        context = BROWSER.start().new_context(viewport={"width": width, "height": height}, **how)
        shown.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(f"file://{path}{address}")
        return page

    try:
        yield show
    finally:
        for context in shown:
            context.close()
    assert not errors, errors


def browse(path, tmp_path, address="") -> str:
    """The page's document after its scripts have run, timers of some seconds among them."""
    with pages() as show:
        page = show(path, address)
        inside, ended = page.context.new_cdp_session(page), []
        inside.on("Emulation.virtualTimeBudgetExpired", lambda _: ended.append(True))
        inside.send("Emulation.setVirtualTimePolicy", {"policy": "pauseIfNetworkFetchesPending", "budget": MILLISECONDS})
        while not ended:
            page.wait_for_timeout(5)
        return page.content()


PAUSE = """() => new Promise(done => {
  const moved = setTimeout(done, 300);
  addEventListener("popstate", () => setTimeout(() => (clearTimeout(moved), done())), {once: true});
})"""


def played(path, tmp_path, script, address=""):
    """What a script on the page returns after its awaited steps; `pause()` waits until Back or another address has come, or 300 ms."""
    with pages() as show:
        return show(path, address).evaluate(f"async () => {{ const pause = {PAUSE}; {script} }}")


def drawn_cells(document: str) -> list[tuple[str, str]]:
    """The cells of the matrix in a drawn page, means of lines aside: the tag with its names, and the number in it."""
    return re.findall(r'(<td class="cell(?! margin)[^>]*role="gridcell"[^>]*>)([^<]*)</td>', document)


def needs_browser(test):
    return pytest.mark.browser(pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")(test))
