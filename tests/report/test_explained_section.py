"""What the page says of measures together and of two methods: the summary's numbers, and reasons where there are none."""

import html
import re

import pytest

from browser import CONFIG, browse, embedded, needs_browser
from promptatlas.analysis import statistics
from promptatlas.analysis.explained_words import sentence
from promptatlas.analysis.words import measure_title, method_title
from promptatlas.report import page
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table


def written(folder, n=6, **changes):
    tables = {
        "transfer": transfer_table(n, **changes),
        "tasks": tasks_table(n),
        "similarity": similarity_table(n),
        "tuning": tuning_table(n),
    }
    study = tuple(tables[name] for name in ("transfer", "similarity", "tasks"))
    found, explained, contrasts = (
        statistics.analyse(*study, permutations=19),
        statistics.explain(*study, permutations=19),
        statistics.contrast(*study),
    )
    summary = statistics.summary(*study[:2], found, study[2], explained=explained, contrasts=contrasts)
    page.write(tables, CONFIG, [], folder / "report.html", summary)
    return tables, summary, folder / "report.html"


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return written(tmp_path_factory.mktemp("explained"))


def part(document: str, name: str) -> str:
    """The text of an element that has no element of its own kind around it."""
    inner = re.search(rf'<div id="{name}"[^>]*>(.*?)</div>\s*(?:<h3>|<details class="save"|</section>)', document, re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", inner[1]))) if inner else ""


def brackets(one: dict, digits: int = 2, scale: float = 1, sign: str = "") -> str:
    numbers = [f"{scale * one[key]:{sign}.{digits}f}".replace("-", "−") for key in ("estimate", "low", "high")]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def test_every_set_has_a_sentence_in_the_page(usual):
    _, summary, path = usual
    told = embedded(path)["explained"]
    assert (
        told == {f"{one['protocol']}/{one['method']}": [sentence(one, method_title, measure_title)] for one in summary["explained"]}
        and len(told) == 2
    )
    assert told["frozen/coop"][0].startswith("CoOp: visual similarity (vis_frechet) explains")


@needs_browser
def test_the_page_has_the_numbers_of_the_summary(usual, tmp_path):
    _, summary, path = usual
    document = browse(path, tmp_path, "#method=vpt")
    explained, contrasts = part(document, "explained"), part(document, "contrasts")
    (own,) = [one for one in summary["explained"] if one["method"] == "vpt"]
    assert re.sub(r"\s+", " ", sentence(own, method_title, measure_title)) in explained and "coop" not in explained.lower()
    for each in own["measures"]:
        assert brackets(each["coefficient"]) in explained
    (link,) = [one for one in summary["contrasts"] if one["method"] == "vpt"]
    assert brackets(link) in explained
    rows = {(one["what"], one["response"]): one for one in summary["contrasts"] if one["method"] == "coop~vpt"}
    assert brackets(rows["relationship", "logit_gain"]) in contrasts and "Of 2 differences of r" in contrasts
    gain = brackets(rows["gain", "raw"], 1, 100, "+").replace("+0.0", "0.0").replace("−0.0", "0.0")
    assert gain in contrasts and "NaN" not in contrasts + explained and "undefined" not in contrasts + explained


@needs_browser
def test_with_one_seed_the_reasons_stand_there(tmp_path):
    document = browse(written(tmp_path, seeds=(1,))[2], tmp_path)
    explained, contrasts = part(document, "explained"), part(document, "contrasts")
    assert "How much can be explained at most cannot be told: one seed" in explained
    assert "one seed: what would change with another seed is not known" in contrasts and "–" in contrasts


@needs_browser
@pytest.mark.slow
def test_the_summary_of_an_earlier_version_has_a_page_without_these(usual, tmp_path):
    tables, summary, _ = usual
    path = tmp_path / "report.html"
    page.write(tables, CONFIG, [], path, {key: value for key, value in summary.items() if key not in ("explained", "contrasts")})
    document = browse(path, tmp_path)
    assert part(document, "explained").strip() == "" and 'id="similarity-table"' in document
