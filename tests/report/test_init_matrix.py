"""The matrix of protocol init: tuned prompts, held against an untrained start of the same seed that was tuned as long."""

import html
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from browser import CONFIG, browse, embedded, needs_browser
from promptatlas.analysis import statistics
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.views import VIEWS
from promptatlas.report import figures, page
from promptatlas.report.figures.matrix import heatmap
from promptatlas.report.figures.style import STYLE
from promptatlas.runs.tables import methods_table
from synthetic_study import baselines_table, cells, similarity_table, tasks_table, transfer_table, tuning_table

N = 5
EPOCHS = {"init": {"epochs": 5}, "settings": {"coop": {"epochs": 30}, "vpt": {"epochs": 30}}}
SOURCE, TARGET = "task_01", "task_03"
SINGLE_VIEWS = set(VIEWS) - {"over_scratch"}


def study(protocols=("frozen", "init"), scratch=True):
    """Untrained starts differ between seeds; that of one seed is missing for task_04. Tables, table of statistics, summary."""
    transfer, tasks, similarity = transfer_table(N, protocols=protocols, target=0.2), tasks_table(N), similarity_table(N)
    starts = transfer["source"] == "scratch"
    transfer.loc[starts, "score"] += 0.04 * (transfer.loc[starts, "seed"] - 2)
    gone = (transfer["target"] == "task_04") & (transfer["seed"] == 2) if scratch else True
    transfer = transfer[~(starts & gone)].reset_index(drop=True)
    table = statistics.analyse(transfer, similarity, tasks, permutations=9)
    baselines = baselines_table(tasks)
    summary = statistics.summary(transfer, similarity, table, tasks, baselines, 9, methods_table(transfer, baselines))
    return {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(N)}, table, summary


def write(path, **changes):
    tables, _, summary = study(**changes)
    page.write(tables, CONFIG | EPOCHS, cells(tables["transfer"], tables["tasks"]), path, summary)
    return tables["transfer"], summary, path


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return write(tmp_path_factory.mktemp("init") / "report.html")


def over_start(transfer: pd.DataFrame, method: str) -> pd.Series:
    """Points over the untrained start by (source, target, seed), from the rows of the table alone."""
    rows = transfer[(transfer["protocol"] == "init") & (transfer["method"] == method)]
    start = rows[rows["source"] == "scratch"].set_index(["target", "seed"])["score"].rename("start")
    rows = rows.join(start, on=["target", "seed"], how="inner")
    return (100 * (rows["score"] - rows["start"])).groupby([rows["source"], rows["target"], rows["seed"]]).first()


def text(document: str, what: str) -> str:
    """Words of an element of the drawn page, found by how its tag begins."""
    tag = re.match(r"<(\w+)", what)[1]
    words = re.sub(r"<[^>]+>", " ", re.search(rf"{what}.*?</{tag}>", document, re.S)[0])
    return re.sub(r"\s+", " ", html.unescape(words))


def rounded(number: float) -> str:
    """As it stands in a cell, and so in its name."""
    return f"{number:+.0f}".replace("-", "−")


def points(number: float) -> str:
    return f"{number:+.1f}".replace("-", "−")


@needs_browser
def test_each_cell_is_held_against_the_untrained_start_of_its_seed(both, show):
    transfer, _, path = both
    view = show(path, "#protocol=init&method=vpt").evaluate("viewOf(state)")
    names = sorted(tasks_table(N)["task"])
    mean = over_start(transfer, "vpt").groupby(level=["source", "target"]).mean().unstack()
    assert np.array(view["values"], dtype=float) == pytest.approx(mean.loc[names, names].to_numpy(), abs=2e-3)
    assert view["rows"]["scratch"] == [0] * N
    assert view["rows"]["template"] == pytest.approx(mean.loc["template", names].to_list(), abs=2e-3)


def test_only_tuned_prompts_are_held_against_an_untrained_start_at_first(both, tmp_path):
    data = embedded(both[2])
    assert {name: one["baseline"] for name, one in data["matrices"].items()} == {
        f"{protocol}/{method}": baseline
        for protocol, baseline in (("frozen", "zero_shot"), ("init", "untuned"))
        for method in ("coop", "vpt")
    }
    frozen = embedded(write(tmp_path / "frozen.html", protocols=("frozen",))[2])
    assert set(data["views"]) == set(frozen["views"]) == SINGLE_VIEWS


@needs_browser
def test_a_matrix_of_tuned_prompts_says_what_it_is(both, tmp_path):
    _, summary, path = both
    document = browse(path, tmp_path, "#protocol=init&method=vpt")
    one = next(one for one in summary["by_method"] if (one["protocol"], one["method"]) == ("init", "vpt"))
    words = text(document, '<p id="matrix-words"')
    assert "protocol init" in words and "is tuned on the target, 5 epochs" in words
    assert f"on average it gains {points(one['over_scratch']['points_mean'])} points" in words
    assert f"tuned a second time on the same images (30 + 5 epochs), {points(one['own_gain_points_mean'])}." in words
    assert f"the untrained start {points(one['scratch_gain_points_mean'])}" in words
    assert "own prompt gains" not in words and "prompt of another task" not in words and "used as they are" not in words
    lead = text(document, '<p id="lead"')
    assert f"each used on all {N} as it is and each taken as the start of tuning on all {N}" in lead
    tiles = text(document, '<dl id="tiles"')
    assert f"VPT started from another task’s prompt and tuned on the target {points(one['over_scratch']['points_mean'])}" in tiles
    choice = text(document, '<fieldset id="choose-protocol"')
    assert "frozen: applied unchanged" in choice and "init: started from and tuned on the target, 5 epochs" in choice
    assert "own prompt tuned a second time" in text(document, '<div id="legend"')


@needs_browser
def test_the_gain_over_an_untrained_start_is_shown_first(both, tmp_path):
    transfer, _, path = both
    document = browse(path, tmp_path, "#protocol=init&method=vpt&order=name")
    mean = over_start(transfer, "vpt").groupby(level=["source", "target"]).mean()
    label = f"Task 1 to Task 3: {rounded(mean[SOURCE, TARGET])} points"
    assert f'aria-label="{label}"' in document
    assert text(document, '<select id="choose-view"').split(" ", 2)[1].startswith("Gain")
    assert "points over an untrained start; small dots are seeds" in text(document, '<div id="ranking"')
    assert "points over an untrained start, mean over seeds, in brackets" in text(document, '<div id="best"')


@needs_browser
def test_unchanged_prompts_are_shown_as_before(both, tmp_path):
    _, summary, path = both
    document = browse(path, tmp_path, f"#protocol=frozen&method=vpt&source={SOURCE}&target={TARGET}")
    one = next(one for one in summary["by_method"] if (one["protocol"], one["method"]) == ("frozen", "vpt"))
    assert f"own prompt gains {points(one['own_gain_points_mean'])} points" in text(document, '<p id="matrix-words"')
    assert "over_scratch" not in text(document, '<select id="choose-view"') and "untrained start" not in document.split("<script")[0]
    panel = text(document, '<aside id="panel"')
    assert "VPT, prompt applied unchanged; accuracy" in panel and "gain, points" in panel and "second time" not in panel


@needs_browser
def test_a_cell_says_in_how_many_seeds_its_source_is_the_better_start(both, tmp_path):
    transfer, _, path = both
    gains = over_start(transfer, "vpt")
    mixed = [
        (source, target)
        for (source, target), part in gains.groupby(level=["source", "target"])
        if 0 < (part > 0).sum() < len(part) and source.startswith("task") and source != target
    ]
    source, target = mixed[0]
    document = browse(path, tmp_path, f"#protocol=init&method=vpt&source={source}&target={target}")
    panel, own = text(document, '<aside id="panel"'), gains[source, target]
    assert f"Better than the untrained start in {(own > 0).sum()} of {len(own)} seeds." in panel
    assert "starts from the source’s prompt, tuned on the target, 5 epochs; accuracy" in panel
    assert "over zero-shot over an untrained start" in panel and f"{points(own.mean())} points" in panel
    for gain in own:
        assert f" {points(gain)} " in panel
    assert "change over an untrained start" in panel and "the prompt that is started from" in panel


@needs_browser
def test_the_diagonal_is_called_a_second_tuning(both, tmp_path):
    document = browse(both[2], tmp_path, f"#protocol=init&method=vpt&source={TARGET}&target={TARGET}")
    panel = text(document, '<aside id="panel"')
    assert "VPT, own prompt tuned a second time (30 + 5 epochs); accuracy" in panel


@needs_browser
def test_a_start_that_was_not_measured_leaves_a_gap_and_no_number(both, tmp_path):
    """Seed 2 of the untrained start is missing for task_04: seeds 1 and 3 count."""
    transfer, _, path = both
    document = browse(path, tmp_path, f"#protocol=init&method=coop&source={SOURCE}&target=task_04")
    panel, own = text(document, '<aside id="panel"'), over_start(transfer, "coop")[SOURCE, "task_04"]
    assert len(own) == 2 and f"in {(own > 0).sum()} of 2 seeds" in panel
    assert re.search(r"seed 2 [\d.]+ % [+−]?[\d.]+ – ", panel)
    assert f"Task 1 to Task 4: {rounded(own.mean())} points" in document


@needs_browser
def test_changing_the_protocol_changes_to_its_main_baseline_and_keeps_the_view(both, tmp_path):
    """Played by a script at the end of the page: there and back, then with another view."""
    script = """<script>
      const press = name => document.querySelector(`#choose-protocol input[value="${name}"]`).click();
      const seen = [];
      for (const name of ["init", "frozen"]) { press(name); seen.push(state.baseline, state.view); }
      set({view: "raw"});
      for (const name of ["init", "frozen"]) { press(name); seen.push(document.getElementById("choose-view").value); }
      document.body.dataset.seen = seen.join();
    </script></body>"""
    path = tmp_path / "switch.html"
    path.write_text(both[2].read_text().replace("</body>", script))
    assert 'data-seen="untuned,gain_points,zero_shot,gain_points,raw,raw"' in browse(path, tmp_path, "#protocol=frozen")


@needs_browser
def test_without_untrained_starts_the_page_falls_back_on_zero_shot(tmp_path):
    _, summary, path = write(tmp_path / "report.html", protocols=("init",), scratch=False)
    assert {one["baseline"] for one in embedded(path)["matrices"].values()} == {"zero_shot"}
    document = browse(path, tmp_path, f"#method=coop&source={SOURCE}&target={TARGET}")
    gain = summary["by_method"][0]["transfer_gain_points_mean"]
    assert f"Over zero-shot, starts from other tasks gain {points(gain)} points" in text(document, '<p id="matrix-words"')
    assert "untrained start" not in document.split("<script")[0]


@needs_browser
def test_methods_are_compared_only_where_the_study_has_prompts_as_they_were_trained(both, tmp_path):
    """Of protocol init alone the table `methods` has zero-shot and a linear probe, which say nothing of the study's methods."""
    _, summary, path = write(tmp_path / "init.html", protocols=("init",))
    assert {one["method"] for one in summary["comparison"]["methods"]} == {"zero_shot", "linear_probe"}
    document = browse(path, tmp_path)
    assert re.search(r'<section id="methods"[^>]*hidden', document) and re.search(r'<a href="#methods" hidden', document)
    assert not re.search(r'<section id="methods"[^>]*hidden', browse(both[2], tmp_path, "#protocol=init"))


@pytest.mark.slow
def test_every_view_of_a_protocol_is_drawn(tmp_path, monkeypatch):
    """The figures are not rendered, which takes its time."""

    def drawn_only(draw, folder, name, *_):
        figure = draw(7.2)
        plt.close(figure)
        return [folder / name] if figure else []

    monkeypatch.setattr(figures, "save_both", drawn_only)
    tables, table, _ = study()
    written = {path.name for path in figures.draw(tables["transfer"], tables["similarity"], table, tables["tasks"], tmp_path)}
    drawn = {protocol: {view for view in VIEWS if f"heatmap-{protocol}-coop-{view}" in written} for protocol in ("frozen", "init")}
    assert drawn == {"frozen": SINGLE_VIEWS, "init": set(VIEWS)}


def test_a_figure_names_the_protocol_and_shows_the_view():
    tables, _, _ = study()
    titles = dict(zip(tables["tasks"]["task"], tables["tasks"]["title"], strict=True))
    frozen, init = (
        next(one for one in collect(tables["transfer"], tables["tasks"]) if (one.protocol, one.method) == (protocol, "vpt"))
        for protocol in ("frozen", "init")
    )
    words = {}
    with matplotlib.rc_context(STYLE):
        for scores, view in ((frozen, "gain_points"), (init, "over_scratch")):
            figure = heatmap(scores, view, scores.tasks, titles, (-30, 30), 7.2)
            title, below, *_, beside = [text.get_text().replace("\n", " ") for text in figure.texts]
            words[scores.protocol] = (title, beside, below)
            shown = [cell.get_text() for cell in figure.axes[0].texts]
            plt.close(figure)
    assert words["frozen"][0] == "VPT: gain over zero-shot (points)"
    assert words["init"][0] == "VPT, tuned on the target (init): gain over an untrained start (points)"
    assert "starts from" in words["init"][1] and "tuned" in words["init"][2]
    mean = over_start(tables["transfer"], "vpt").groupby(level=["source", "target"]).mean()
    expected = [round(mean[source, target]) for source in init.tasks for target in init.tasks]
    assert [int(cell.replace("−", "-")) for cell in shown] == expected
