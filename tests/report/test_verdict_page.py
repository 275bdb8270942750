"""The first screen: the verdict's sentences, each pair, target and measure a link that resolves, and the most informative method first."""

import html
import re
from urllib.parse import parse_qs

import pytest

from browser import CONFIG, browse, embedded, needs_browser
from promptatlas.analysis import statistics
from promptatlas.report import page
from synthetic_study import cells, similarity_table, tasks_table, transfer_table, tuning_table

N = 6


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """CoOp's seeds differ much, VPT's hardly."""
    steady = transfer_table(N, methods=("vpt",), pair=0.9, noise=0.05)
    transfer = transfer_table(N, methods=("coop", "vpt"), pair=0.9, noise=1.5)
    transfer.loc[transfer["method"] == "vpt", "score"] = steady["score"].to_numpy()
    tasks, similarity = tasks_table(N), similarity_table(N)
    found = statistics.analyse(transfer, similarity, tasks, permutations=9)
    explained, contrasts = statistics.explain(transfer, similarity, tasks, 9), statistics.contrast(transfer, similarity, tasks)
    summary = statistics.summary(transfer, similarity, found, tasks, explained=explained, contrasts=contrasts)
    path = tmp_path_factory.mktemp("verdict") / "report.html"
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(N)}
    page.write(tables, CONFIG, cells(transfer, tasks), path, summary)
    return summary, path


def first_screen(document: str) -> str:
    return re.search(r'<dl id="verdict".*?</dl>', document, re.S)[0]


@needs_browser
def test_the_first_screen_is_the_verdict_of_the_most_informative_method(written, tmp_path):
    summary, path = written
    assert summary["verdict"]["opens"]["frozen"] == {"method": "vpt", "by": "reliability"}
    document = browse(path, tmp_path)
    shown = re.sub(r"<[^>]+>", "", html.unescape(first_screen(document)))
    told = embedded(path)["verdict"]["frozen/vpt"]
    for one in told:
        assert one["topic"] + "".join(part if isinstance(part, str) else part["text"] for part in one["parts"]) in shown
    assert [one["topic"] for one in told][:2] == ["Which pairs help", "How sure that is"] and len(told) >= 5


@needs_browser
def test_every_link_leads_to_what_it_names_and_keeps_what_else_is_chosen(written, tmp_path, show):
    _, path = written
    addresses = [html.unescape(one) for one in re.findall(r'<a href="#([^"]+)"', first_screen(browse(path, tmp_path)))]
    assert len(addresses) > 5 and len(set(addresses)) > 4
    known = {task["name"] for task in embedded(path)["tasks"]}
    document = path.read_text()
    for address in addresses:
        chosen = {key: one for key, [one] in parse_qs(address).items()}
        assert not chosen or {chosen[key] for key in ("source", "target", "ranked") if key in chosen} <= known
        assert f'id="{chosen.get("at", address)}"' in document, address
    drawn = show(path)
    drawn.evaluate('set({theme: "dark", numbers: false})')
    for place, address in enumerate(addresses):
        drawn.locator("#verdict a").nth(place).click()
        state = drawn.evaluate("state")
        chosen = {key: one for key, [one] in parse_qs(address).items()} or {"at": address}
        assert {key: state[key] for key in chosen} == chosen, address
        assert state["theme"] == "dark" and state["numbers"] is False
