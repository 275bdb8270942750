"""The report: one file, no network, all cells, missing ones shown as missing; read as text and, where there is one, by Chromium."""

import re
from html import unescape

import numpy as np
import pytest

from browser import CONFIG, browse, drawn_cells, embedded, needs_browser
from page_study import study
from promptatlas.analysis import statistics
from promptatlas.report import page
from promptatlas.report.colours import colour_of
from synthetic_study import cells, elevater_study, similarity_table, tasks_table, transfer_table, tuning_table


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    tables, summary = study()
    path = tmp_path_factory.mktemp("page") / "report.html"
    page.write(tables, CONFIG, cells(tables["transfer"], tables["tasks"]), path, summary)
    return tables, summary, path


def test_page_is_one_file_without_network(written):
    text = written[2].read_text()
    addresses = set(re.findall(r"""(?:https?:)?//[a-z0-9.-]+\.[a-z]+[^"'\s]*""", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a namespace, not an address
    assert not re.search(r"<(link|img|iframe)\b|<script[^>]*\ssrc=|@import|url\(\s*['\"]?(?!#)", text)
    assert "{{" not in re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.S).replace("${{", "")
    assert len(text) < 1_500_000


def test_every_cell_and_seed_is_embedded(written):
    tables, _, path = written
    data = embedded(path)
    names = [task["name"] for task in data["tasks"]]
    for row in tables["transfer"].itertuples():
        kept = data["matrices"][f"{row.protocol}/{row.method}"]
        number = kept["seeds"][str(row.seed)][kept["sources"].index(row.source)][names.index(row.target)]
        assert number == pytest.approx(row.score, rel=1e-4)


def test_a_missing_cell_is_null_and_not_zero(written):
    data = embedded(written[2])
    assert all(scores[2][4] is None for scores in data["matrices"]["frozen/vpt"]["seeds"].values())
    assert data["summary"]["n_missing_cells"] == 3


def test_words_come_from_the_summary(written):
    assert embedded(written[2])["summary"] == written[1]


def test_class_scores_are_means_over_seeds(written):
    tables, _, path = written
    data = embedded(path)
    every = [
        c for c in cells(tables["transfer"], tables["tasks"]) if (c["method"], c["source"], c["target"]) == ("coop", "scratch", "task_03")
    ]
    expected = [1000 * np.mean([cell["per_class"][name] for cell in every]) for name in data["classes"]["names"]["task_03"]]
    assert data["classes"]["scores"]["frozen/coop"]["scratch"]["task_03"] == pytest.approx(expected, abs=0.51)


def test_no_name_can_end_the_script(tmp_path):
    tables, summary = study(missing=False)
    evil = "</script><script>alert(1)</script>"
    tables["tasks"].loc[0, "title"] = evil
    page.write(tables, CONFIG, [], tmp_path / "report.html", summary)
    text = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in text and embedded(tmp_path / "report.html")["tasks"][0]["title"] == evil


@pytest.mark.slow
def test_a_full_study_stays_small(tmp_path):
    methods = ("coop", "vpt", "upt")
    transfer, tasks, similarity = transfer_table(20, methods=methods), tasks_table(20), similarity_table(20)
    table = statistics.analyse(transfer, similarity, tasks, permutations=9)
    summary = statistics.summary(transfer, similarity, table, tasks)
    tables = {
        "transfer": transfer,
        "tasks": tasks,
        "similarity": similarity,
        "tuning": tuning_table(20, methods, epochs=200),
    }
    page.write(tables, CONFIG, lambda: iter(cells(transfer, tasks)), tmp_path / "report.html", summary)
    assert (tmp_path / "report.html").stat().st_size < 1_000_000


def seen(document: str) -> str:
    """The document without its scripts, which hold every word that they may write."""
    return re.sub(r"<script.*?</script>", "", document, flags=re.S)


def words(document: str, name: str) -> str:
    """The text of an element without elements of its own name inside."""
    return re.sub(r"<[^>]+>", "", re.search(rf'id="{name}"[^>]*>(.*?)</(?:p|div)>\s*<(?:p|div|h3|/section)', document, re.S)[1])


def test_colours_are_those_of_the_figures(written):
    data = embedded(written[2])
    assert data["colours"] == {name: colour_of(name, data["methods"]) for name in data["methods"]}
    assert len(set(data["colours"].values())) == len(data["methods"]) > 1


# The page in a frame as wide as a telephone; what it says of its widths is written into the document around it.
FRAME = """<body><script>onmessage = event => (document.body.dataset.widths = event.data)</script>
<iframe src="{page}" style="width:400px;height:900px;border:0"></iframe></body>"""
WIDTHS = "<script>const all = document.documentElement; parent.postMessage(`${all.scrollWidth} ${all.clientWidth}`, '*')</script></body>"


@needs_browser
def test_a_narrow_page_does_not_scroll_sideways(written, tmp_path):
    tables, summary, _ = written
    titles = tables["tasks"]["title"] + ", one of those with names as long as this"
    page.write(tables | {"tasks": tables["tasks"].assign(title=titles)}, CONFIG, [], tmp_path / "report.html", summary)
    before, _, after = (tmp_path / "report.html").read_text().rpartition("</body>")
    (tmp_path / "narrow.html").write_text(before + WIDTHS + after)
    (tmp_path / "frame.html").write_text(FRAME.format(page="narrow.html"))
    found = re.search(r'data-widths="(\d+) (\d+)"', browse(tmp_path / "frame.html", tmp_path))
    wide, room = map(int, found.groups())
    assert 300 < room <= 400 and wide == room


@needs_browser
def test_methods_stand_in_the_order_of_the_configuration_and_captions_are_whole(written, tmp_path):
    tables, summary, _ = written
    path = tmp_path / "report.html"
    page.write(tables, CONFIG | {"methods": ["vpt", "coop"]}, [], path, summary)
    document = seen(browse(path, tmp_path))
    tiles = document.partition('id="tiles"')[2].partition("</dl>")[0]
    assert 0 < tiles.index("VPT on a prompt") < tiles.index("CoOp on a prompt")
    plot = document.partition('id="similarity-table"')[2].partition("</svg>")[0]
    assert plot.index(">VPT<") < plot.index(">CoOp<")
    assert colour_of("vpt") in plot and colour_of("coop") in plot
    lines = re.findall(r'text-anchor="middle">([^<]*[a-z][^<]*)<', unescape(plot).replace("p < 0", "p 0"))
    assert " ".join(lines).endswith("all measures of a method allowed for") and max(map(len, lines)) <= 72


@needs_browser
def test_a_source_has_no_place_among_sources_that_are_all_alike(tmp_path):
    tables, _ = study(missing=False)
    transfer = tables["transfer"]
    tables["transfer"] = transfer.assign(score=transfer["score"].mask(transfer["target"] == "task_03", 0.5))
    table = statistics.analyse(*(tables[name] for name in ("transfer", "similarity", "tasks")), permutations=9)
    summary = statistics.summary(tables["transfer"], tables["similarity"], table, tables["tasks"])
    page.write(tables, CONFIG, [], tmp_path / "report.html", summary)
    path = tmp_path / "report.html"
    assert "All sources are alike for this target." in seen(browse(path, tmp_path, "#method=coop&source=task_01&target=task_03"))
    assert re.search(r"Source \d of 5 for this target", seen(browse(path, tmp_path, "#method=coop&source=task_01&target=task_02")))


@needs_browser
def test_one_measured_source_is_no_best_one_and_unknown_gains_are_not_told(tmp_path):
    tables, _ = study(missing=False)
    transfer = tables["transfer"]
    others = transfer["source"].str.startswith("task") & ~((transfer["source"] == "task_01") & (transfer["target"] == "task_03"))
    tables["transfer"] = transfer.assign(score=transfer["score"].mask(others))
    table = statistics.analyse(*(tables[name] for name in ("transfer", "similarity", "tasks")), permutations=9)
    summary = statistics.summary(tables["transfer"], tables["similarity"], table, tables["tasks"])
    page.write(tables, CONFIG, [], tmp_path / "report.html", summary)
    document = seen(browse(tmp_path / "report.html", tmp_path))
    assert "Task 1, the only one measured" in section(document, "sources")
    assert "own prompt gains" not in document and "prompt\u2019s own task" not in document


@needs_browser
def test_one_seed_prints_no_range_and_says_what_it_cannot_tell(tmp_path):
    tables, summary = study(missing=False, seeds=(1,))
    page.write(tables, CONFIG, cells(tables["transfer"], tables["tasks"]), tmp_path / "report.html", summary)
    document = seen(browse(tmp_path / "report.html", tmp_path))
    assert "not told apart" not in document and "range over seeds" not in document and "seeds from" not in document
    assert "With one seed the apparent best is partly luck" in document
    assert "includes the noise" in document and "cannot be told from one seed" in document and "CoOp, with noise" in document


@needs_browser
def test_measures_that_cannot_be_tested_and_counts_of_what_was_measured(tmp_path):
    tables, summary = study(missing=False)
    tables["similarity"] = tables["similarity"].assign(
        value=tables["similarity"]["value"]
        .mask(tables["similarity"]["measure"] == "lab_cover", 1.0)
        .mask(tables["similarity"]["measure"] == "factor_overlap")
    )
    lost = (tables["transfer"]["method"] == "coop") & (tables["transfer"]["seed"] != 1)
    lost |= (tables["transfer"]["source"] == "task_02") | (tables["transfer"]["target"] == "task_02")
    tables["transfer"] = tables["transfer"].assign(score=tables["transfer"]["score"].mask(lost))
    table = statistics.analyse(*(tables[name] for name in ("transfer", "similarity", "tasks")), permutations=99)
    summary = statistics.summary(tables["transfer"], tables["similarity"], table, tables["tasks"])
    page.write(tables, CONFIG | {"precision": "tf32"}, cells(tables["transfer"], tables["tasks"]), tmp_path / "report.html", summary)
    document = seen(browse(tmp_path / "report.html", tmp_path))
    told = words(document, "similarity-untested")
    assert "label similarity (CoOp, the same for all pairs of tasks)" in told
    assert "known factor overlap (VPT, no value for any pair of tasks)" in told
    lead = words(document, "lead")
    beside = f"100 measured cells and {summary['n_calibration_cells']} in rows that are no task, 3 seeds"
    assert "on each of 5 of 6 tasks" in lead and beside in lead and "116 cells are missing" in lead
    assert "Computed in tf32." in lead


@needs_browser
def test_browser_draws_all_cells_and_the_hole(written, tmp_path):
    document = browse(written[2], tmp_path, "#method=vpt&view=gain_points")
    assert len(drawn_cells(document)) == 6 * 6 + 2 * 6
    missing = [cell for cell, _ in drawn_cells(document) if "missing" in cell]
    assert len(missing) == 1 and "Task 2 to Task 4: missing" in missing[0]


@needs_browser
def test_best_sources_are_scored_by_seeds_that_did_not_choose_them(written, tmp_path):
    _, summary, path = written
    drawn = seen(browse(path, tmp_path, "#method=coop&order=name"))
    document = re.sub(r"\s+", " ", section(drawn, "sources"))
    one = next(one for one in summary["by_method"] if one["method"] == "coop")
    for best in one["best_sources"]["targets"]:
        first = best["sources"][0]
        names = ("apparent", "low", "high", "held_out")
        mean, low, high, worth = (f"{round(first[name]):+d}".replace("-", "−").replace("+0", "0") for name in names)
        assert f"Task {int(first['source'][-2:])} {mean} [{low}, {high}] place: {worth}" in document
    points = one["best_sources"]["points"]
    said = [f"{points[name]:+.1f}".replace("-", "−") for name in ("apparent", "held_out")]
    assert f"seems to have {said[0]} (points over zero-shot" in document and f"it has {said[1]} [" in document
    worth = f"{one['givers'][0]['held_out']:+.2f}".replace("-", "−")
    assert "of the place in a seed left out" in section(drawn, "variance") and worth in section(drawn, "variance")


@needs_browser
def test_browser_shows_a_cell_with_its_command(written, tmp_path):
    tables, _, path = written
    document = browse(path, tmp_path, "#method=coop&source=task_01&target=task_03")
    panel = re.search(r'<aside id="panel".*?</aside>', document, re.S)[0]
    assert "snakemake --cores 2 --config only=task_01 --forcerun results/mini/cells/frozen/coop/seed1/task_03/task_01.json" in panel
    assert "promptatlas rerun --method coop --source task_01 --target task_03" in panel
    rows = tables["transfer"].query("method == 'coop' and source == 'task_01' and target == 'task_03'")
    for score in rows["score"]:
        assert f"{100 * score:.1f}" in panel
    for heading in ("By class", "Tuning of", "Similarity of the two tasks", "Chance"):
        assert heading in panel


@needs_browser
@pytest.mark.parametrize("view", ["relationship", "chance_corrected", "perfection_gap", "column_ratio", "raw"])
def test_browser_draws_every_view_and_order(written, tmp_path, view):
    order = {"relationship": "giving", "raw": "family", "column_ratio": "name"}.get(view, "similar")
    document = browse(written[2], tmp_path, f"#method=coop&view={view}&order={order}&theme=dark")
    drawn = [number for _, number in drawn_cells(document) if number]
    assert len(drawn) == {"relationship": 30}.get(view, 48)


@needs_browser
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_browser_draws_small_studies(tmp_path, n):
    tables, summary = study(n, missing=False, methods=("coop",), seeds=(1,))
    page.write(tables, CONFIG, cells(tables["transfer"], tables["tasks"]), tmp_path / "report.html", summary)
    document = browse(tmp_path / "report.html", tmp_path)
    assert len(drawn_cells(document)) == n * n + 2 * n


@needs_browser
def test_keys_move_and_choose(written, tmp_path):
    """Arrow keys move the focus, Enter opens the cell, Escape closes it: played by a script at the end of the page."""
    script = """<script>
      const press = key => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
      document.querySelector('#heatmap .cell[tabindex="0"]').focus();
      press("ArrowRight"); press("ArrowDown"); press("Enter");
      document.body.dataset.opened = document.querySelector("#panel h3").textContent;
      document.body.dataset.focus = document.activeElement.getAttribute("aria-label");
      press("Escape");
      document.body.dataset.closed = document.querySelector("#panel h3").textContent;
    </script></body>"""
    path = tmp_path / "keys.html"
    path.write_text(written[2].read_text().replace("</body>", script))
    order = written[1]["order"]
    name = "Task " + str(int(order[1].split("_")[1]))
    document = browse(path, tmp_path)
    assert f'data-opened="{name} → {name}"' in document and 'data-closed="Choose a cell"' in document
    assert f'data-focus="{name} to {name}' in document


def write_elevater(path, expected=True) -> dict:
    """A report of a study whose tasks others have measured, and its summary."""
    tables = elevater_study(6)
    if not expected:
        tables["tasks"] = tables["tasks"].drop(columns=["zero_shot_expected", "zero_shot_reference"])
    table = statistics.analyse(tables["transfer"], tables["similarity"], tables["tasks"], permutations=99)
    summary = statistics.summary(tables["transfer"], tables["similarity"], table, tables["tasks"], tables["baselines"], permutations=99)
    page.write(tables, CONFIG, [], path, summary)
    return summary


def section(document: str, name: str) -> str:
    """A section of the drawn page without its tags; empty where it is hidden."""
    found = re.search(rf'<section id="{name}"([^>]*)>(.*?)</section>', document, re.S)
    hidden = "hidden" in found[1]
    assert hidden == bool(re.search(rf'<a href="#{name}" hidden', document)), "the navigation names what is shown"
    return "" if hidden else re.sub(r"<[^>]+>", " ", found[2])


@needs_browser
def test_published_matrix_stands_beside_the_measured_one(tmp_path):
    summary = write_elevater(tmp_path / "report.html")
    document = browse(tmp_path / "report.html", tmp_path, "#method=vpt")
    words = section(document, "published")
    entry = summary["published"]["by_method"][1]
    assert entry["method"] == "vpt" and "Measured here" in words and "arXiv 2211.11720, figure 4" in words
    assert f"correlate {entry['rank_correlation']:.2f}" in words
    assert f": {entry['relationship_rank_correlation']:.2f} (p = " in words
    plot = re.search(r'<div id="published-plot".*?</svg>', document, re.S)[0]
    assert plot.count('class="number"') == 2 * 6 * 6
    for head, values in (("measured here", entry["measured"]), ("published", entry["published"])):
        at = entry["tasks"].index("cifar-100"), entry["tasks"].index("dtd")
        assert f"Cifar 100 → Dtd, {head}: {100 * values[at[0]][at[1]]:.0f}\u202f%" in plot


@needs_browser
def test_method_without_a_published_matrix_says_so(tmp_path):
    tables = elevater_study(6)
    tables["transfer"] = tables["transfer"].replace({"method": {"coop": "maple"}})
    table = statistics.analyse(tables["transfer"], tables["similarity"], tables["tasks"], permutations=9)
    summary = statistics.summary(tables["transfer"], tables["similarity"], table, tables["tasks"], permutations=9)
    page.write(tables, CONFIG, [], tmp_path / "report.html", summary)
    words = section(browse(tmp_path / "report.html", tmp_path, "#method=maple"), "published")
    assert "no published matrix to compare MaPLe with; there is one for VPT" in words and "Measured here" not in words


@needs_browser
def test_score_far_from_what_others_measured_is_a_warning_at_the_top_and_in_its_section(tmp_path):
    write_elevater(tmp_path / "report.html")
    document = browse(tmp_path / "report.html", tmp_path)
    words = section(document, "check")
    assert "4 of them are within 3 points" in words and words.count("Look at its images") == 1
    assert "53.3\u202f% zero-shot, 61.3\u202f% is expected (CLIP_benchmark): 8.0 points too low" in words
    assert "linear probe" in words and "65.3\u202f%" in words
    alarm = re.search(r'<p id="alarm"([^>]*)>(.*?)</p>', document)
    assert "hidden" not in alarm[1] and "Cifar 100" in alarm[2] and 'href="#check"' in alarm[2]


@needs_browser
def test_linear_probe_alone_is_shown_without_a_warning(tmp_path):
    write_elevater(tmp_path / "report.html", expected=False)
    document = browse(tmp_path / "report.html", tmp_path)
    words = section(document, "check")
    assert "nothing to check against" in words and "linear probe" in words and "expected by" not in words
    assert re.search(r'<p id="alarm"[^>]*hidden', document)


@needs_browser
def test_sections_with_nothing_to_show_are_not_there(written, tmp_path):
    document = browse(written[2], tmp_path)
    assert section(document, "published") == section(document, "check") == ""
    assert section(document, "study")


@needs_browser
def test_only_confirmatory_links_are_called_established(written, tmp_path):
    _, summary, path = written
    words = section(browse(path, tmp_path, "#method=coop"), "similarity")
    records = [one for one in summary["correlations"] if one["response"] == summary["primary_response"]]
    count = sum(one["established"] for one in records if one["method"] == "coop")
    assert words.count("as established by the confirmatory tests") == count
    for record in records:
        if record["confirmatory"]:
            assert f"{record['p_holm']:.2f}" in words or f"{record['p_holm']:.3f}" in words


def failed_study():
    """Two of the three seeds of one cell and all of another failed."""
    tables, summary = study(missing=False)
    transfer = tables["transfer"].assign(failed="")
    one = (transfer.method == "coop") & (transfer.source == "task_02") & transfer.target.isin(["task_04", "task_05"])
    one &= ~((transfer.target == "task_05") & (transfer.seed == 1))
    transfer.loc[one, ["score", "failed"]] = [np.nan, "source prompt failed: the loss is not a number"]
    return tables | {"transfer": transfer}, summary


def test_the_page_knows_why_cells_failed(tmp_path):
    tables, summary = failed_study()
    page.write(tables, CONFIG, [{"failed": "it is", "target": "task_04"}], tmp_path / "report.html", summary)
    data = embedded(tmp_path / "report.html")
    reasons = data["failed"]["frozen/coop"]["task_02"]
    assert set(data["failed"]) == {"frozen/coop"} and {target: [*seeds] for target, seeds in reasons.items()} == {
        "task_04": ["1", "2", "3"], "task_05": ["2", "3"]
    }  # fmt: skip
    assert all(scores[2][4] is None for scores in data["matrices"]["frozen/coop"]["seeds"].values()) and not data["classes"]["names"]


@needs_browser
def test_browser_says_why_a_cell_failed(tmp_path):
    tables, summary = failed_study()
    path = tmp_path / "report.html"
    page.write(tables, CONFIG, cells(tables["transfer"].dropna(subset="score"), tables["tasks"]), path, summary)
    document = browse(path, tmp_path, "#method=coop&source=task_02&target=task_04")
    panel = re.search(r'<aside id="panel".*?</aside>', document, re.S)[0]
    assert ">failed<" in panel and "Seed 1, 2, 3: source prompt failed: the loss is not a number" in panel
    assert "Task 2 to Task 4: failed" in document and "5 measurements of this matrix failed" in document


@needs_browser
def test_a_part_of_a_study_calls_the_rest_not_measured_and_offers_no_command_for_it(tmp_path):
    tables, summary = study()
    own = {"study": "mini", "pairs": {"pairs": 5, "sha256": "0"}}
    page.write(tables, CONFIG | own, cells(tables["transfer"], tables["tasks"]), tmp_path / "report.html", summary)

    def chosen(target):
        document = seen(browse(tmp_path / "report.html", tmp_path, f"#method=vpt&source=task_02&target={target}"))
        return words(document, "lead"), document.partition('id="panel"')[2].partition("</section")[0]

    lead, panel = chosen("task_04")
    assert "3 cells are not measured" in lead and "only listed pairs are measured" in lead
    assert "not measured" in panel and "not among the pairs" in panel and "promptatlas rerun" not in panel and "failed" not in panel
    _, panel = chosen("task_03")
    assert "promptatlas rerun" in panel and "pairs=FILE" in panel and "not measured" not in panel
