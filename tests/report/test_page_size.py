"""A page of 60 tasks, six methods, three seeds and two protocols, with all that is told of its cells, has less than 6 MB.

It is not built here: each part of a page of a smaller study is held against what the part may take for each cell, target or row.
"""

import base64
import json
import zlib

import numpy as np
import pytest

from browser import CONFIG, embedded, needs_browser, pages
from large_study import METHODS, PROTOCOLS, SEEDS, TASKS, answered_cells, choice_table, pairs_table, prepared
from page_study import study
from promptatlas.analysis import statistics
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.report import page
from promptatlas.report.page import cell_evidence, folded, markup, pair_columns, render
from promptatlas.report.page.payload import later, matrices, payload
from promptatlas.report.page.study_data import StudyData
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

MOST = 6_000_000
MATRICES = len(METHODS) * len(PROTOCOLS)
CELLS = MATRICES * TASKS * (TASKS + 2)
# By part of the page: how many there are of what it consists of, and how many bytes each may have.
PARTS = {
    "cells": (CELLS, 51),
    "pairs": (MATRICES * TASKS * (TASKS + 1), 15.5),
    "matrices": (CELLS * len(SEEDS), 4.2),
    "ranking": (len(PROTOCOLS) * TASKS, 550),
    "similarity": (3 * TASKS**2, 4),
    "tuning": (len(METHODS) * TASKS * len(SEEDS), 225),
    "images": (TASKS, 12_000),
    "by_method": (MATRICES * TASKS, 275),
    "choice": (len(choice_table(METHODS, TASKS)), 275),
    "rest of the summary": (MATRICES, 8_000),
    "code and words": (1, 350_000),
}
SMALL, WIDE = 12, 36  # tasks of the study that is built, and of the one of which the cells are


@pytest.fixture(scope="module")
def built():
    """Bytes of each part of a page of fewer tasks and one method in both protocols, and how many there are of what it consists of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell_evidence, "CONFUSIONS", cell_evidence.CONFUSIONS * WIDE * (WIDE + 2) // CELLS)
        patch.setattr(cell_evidence, "MARKED", {10**9: list(cell_evidence.MARKED.values())[-1]})
        return sizes()


def sizes() -> dict[str, tuple[int, int]]:
    method, n, several = METHODS[:1], SMALL, len(PROTOCOLS)
    transfer, tasks, similarity = transfer_table(n, method, SEEDS, PROTOCOLS), tasks_table(n), similarity_table(n)
    pairs, tuning = pairs_table(transfer, tasks), tuning_table(n, method, SEEDS, 60)
    tuning[["loss", "validation_score"]] *= np.random.default_rng(0).uniform(0.9, 1.1, (len(tuning), 2))
    table = statistics.analyse(transfer, similarity, tasks, permutations=9)
    summary = statistics.summary(transfer, similarity, table, tasks, permutations=9, pairs=pairs, choice=choice_table(method, n))
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning, "pairs": pairs}
    data = payload(tables, CONFIG, {"names": {}, "counts": {}}, summary)
    packed = data["summary"]
    return cell_sizes() | {
        "ranking": (deflated(data["ranking"]), several * n),
        "similarity": (deflated(data["similarity"]), 3 * n**2),
        "tuning": (size(later({}, tuning)["tuning"]), n * len(SEEDS)),
        "by_method": (deflated(packed["by_method"]), several * n),
        "choice": (deflated(packed["choice"]), len(summary["choice"])),
        "rest of the summary": (deflated({name: one for name, one in packed.items() if name not in ("by_method", "choice")}), several),
        "code and words": (len(render(data, {}, {}).encode()) - size(data) + size(data["words"]), 1),
    }


def cell_sizes() -> dict[str, tuple[int, int]]:
    """Of what there is by cell, of one method and protocol, and of images."""
    transfer, tasks = transfer_table(WIDE, METHODS[:1], SEEDS), tasks_table(WIDE)
    beside, gathered = prepared(tasks), cell_evidence.gathered(answered_cells(transfer, tasks))
    labels = beside.labels()
    shown = beside.shown(gathered, labels)
    pairs, (scores,) = pair_columns.sureness(pairs_table(transfer, tasks)), collect(transfer, tasks)
    cells = WIDE * (WIDE + 2)
    return {
        "cells": (size(later(cell_evidence.told(gathered, labels, shown), tuning_table(0))["cells"]), cells),
        "pairs": (deflated(pairs), WIDE * (WIDE + 1)),
        "matrices": (deflated(matrices(scores)), cells * len(SEEDS)),
        "images": (size(StudyData(dict(list(beside.tasks.items())[:4]), beside.images).thumbnails(shown)), 4),
    }


def deflated(part) -> int:
    """As a part of what a large page folds."""
    return len(base64.b64encode(zlib.compress(markup.embedded(part).encode(), 9)))


def size(part) -> int:
    return len(markup.embedded(part).encode())


@pytest.mark.parametrize("part", PARTS)
def test_each_cell_target_and_row_keeps_to_its_size(built, part):
    bytes_of_all, count = built[part]
    assert bytes_of_all / count < PARTS[part][1]


def test_parts_of_that_size_make_a_page_of_less_than_six_megabytes():
    assert sum(count * most for count, most in PARTS.values()) < MOST


def test_what_is_folded_of_a_large_page_is_the_same_again(monkeypatch):
    data = {name: [name, "</script>", "日本", 0.1 + 0.2] for name in folded.HEAVY} | {"origin": {"folder": "/home/someone"}}
    data["summary"] = {"choice": [{"a": 1.5}], "pairs": [{"reasons": ["no such file"]}], "order": ["b"]}
    assert folded.fold(data) == data
    monkeypatch.setattr(folded, "READ_PLAINLY", 10)
    small = folded.fold(data)
    inside = json.loads(zlib.decompress(base64.b64decode(small["folded"]["text"]), wbits=-15))
    assert inside == {name: data[name] for name in folded.HEAVY} | {"summary": {"choice": [{"a": 1.5}]}}
    assert {name: one for name, one in small.items() if name != "folded"} == {
        "origin": data["origin"], "summary": {"pairs": data["summary"]["pairs"], "order": ["b"]},
    }  # fmt: skip


@needs_browser
def test_chromium_inflates_what_zlib_deflates(tmp_path):
    rng = np.random.default_rng(0)
    texts = [b"", b"a", b"ab" * 40_000, rng.integers(0, 256, 70_000, np.uint8).tobytes(), rng.integers(48, 58, 50_000, np.uint8).tobytes()]
    texts += ["".join(rng.choice(["日本", "task", ",", "0.5"], 20_000)).encode(), bytes(300) + rng.bytes(40_000) + bytes(300)]
    given = []
    for text in texts:
        for level, strategy in (
            (0, zlib.Z_DEFAULT_STRATEGY),
            (1, zlib.Z_DEFAULT_STRATEGY),
            (9, zlib.Z_DEFAULT_STRATEGY),
            (6, zlib.Z_FIXED),
        ):
            deflate = zlib.compressobj(level, wbits=-15, strategy=strategy)
            given.append([base64.b64encode(deflate.compress(text) + deflate.flush()).decode(), base64.b64encode(text).decode()])
    (tmp_path / "page.html").write_text(f"<meta charset=utf-8><script>{markup.part('inflate.js')}</script>")
    script = """given => given.map(([deflated, text]) => {
      const [bytes, expected] = [deflated, text].map(one => Uint8Array.from(atob(one), letter => letter.charCodeAt(0)));
      const found = inflate(bytes, expected.length);
      return found.length === expected.length && found.every((one, place) => one === expected[place]);
    })"""
    with pages() as show:
        assert all(show(tmp_path / "page.html").evaluate(script, given))


@needs_browser
def test_a_folded_page_has_the_data_of_one_that_is_not(tmp_path, monkeypatch):
    tables, summary = study(5)
    tables["pairs"] = pairs_table(tables["transfer"], tables["tasks"])
    script = "Object.entries(DATA).sort().map(([name, one]) => [name, name === 'summary' ? Object.entries(one).sort() : one])"
    with pages() as show:
        page.write(tables, CONFIG, [], tmp_path / "plain.html", summary)
        plain = show(tmp_path / "plain.html").evaluate(script)
        monkeypatch.setattr(folded, "READ_PLAINLY", 10)
        page.write(tables, CONFIG, [], tmp_path / "folded.html", summary)
        assert '"matrices"' not in (tmp_path / "folded.html").read_text() and embedded(tmp_path / "folded.html") == embedded(
            tmp_path / "plain.html"
        )
        assert show(tmp_path / "folded.html").evaluate(script) == plain
