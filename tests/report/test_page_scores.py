"""What the page computes from scores by seed is what the statistics compute: scales, baselines, chosen seeds, ends of colours."""

from dataclasses import replace

import numpy as np
import pytest

from browser import CONFIG, needs_browser
from page_study import study
from promptatlas.analysis.statistics import views
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.report import page
from promptatlas.report.page.payload import SHOWN
from synthetic_study import cells

PROTOCOLS = ("frozen", "init")
BASELINES = ("zero_shot", "untuned", "own", "average")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Holes of single seeds and of whole cells, in both methods."""
    tables, summary = study(7, protocols=PROTOCOLS)
    lost = np.random.default_rng(0).random(len(tables["transfer"])) < 0.06
    tables["transfer"] = tables["transfer"].assign(score=tables["transfer"]["score"].mask(lost & (tables["transfer"].source != "template")))
    path = tmp_path_factory.mktemp("scores") / "report.html"
    page.write(tables, CONFIG, cells(tables["transfer"], tables["tasks"]), path, summary)
    return collect(tables["transfer"], tables["tasks"]), path


def computed(shown, scores, view, baseline="zero_shot", seeds=None):
    chosen = {"protocol": scores.protocol, "method": scores.method, "view": view, "baseline": baseline, "seeds": seeds}
    found = shown.evaluate("chosen => viewOf(chosen)", chosen)
    return np.array(found["values"], dtype=float), {name: np.array(row, dtype=float) for name, row in found["rows"].items()}


def of_seeds(scores, seeds):
    places = [scores.seeds.index(seed) for seed in seeds]
    rows = {name: row[places] for name, row in scores.calibration.items()}
    return replace(scores, seeds=seeds, score=scores.score[places], calibration=rows)


def same(found, expected, view):
    """Scores are shipped with five digits, of which log odds, points and shares of other scores keep fewer."""
    precision = {"gain_points": 2e-3, "relationship": 2e-3, "column_ratio": 1e-4}.get(view, 2e-5)
    assert found == pytest.approx(expected, abs=precision, nan_ok=True)


@needs_browser
def test_every_scale_is_that_of_the_statistics_for_any_seeds(written, show):
    every, path = written
    shown = show(path)
    for scores in every:
        for seeds, asked in ((scores.seeds, None), ((1, 3), "1,3"), ((2,), "2")):
            for view in SHOWN:
                values, rows = views.shown(of_seeds(scores, seeds), view)
                found, beside = computed(shown, scores, view, seeds=asked)
                same(found, values, view)
                assert set(beside) == set(rows)
                for name, row in rows.items():
                    same(beside[name], row, view)
    holes = [np.isnan(views.shown(scores, "relationship")[0]).sum() - 7 for scores in every]
    assert max(holes) > 0, "some cells are missing, so that least squares is needed"


@needs_browser
def test_gains_are_counted_from_the_chosen_baseline_of_the_same_seed(written, show):
    every, path = written
    shown = show(path)
    for scores in every:
        own = np.einsum("sii->si", scores.score)
        others = np.where(np.eye(7, dtype=bool), np.nan, scores.score)
        bases = {"own": own, "average": np.nanmean(others, axis=1), "untuned": scores.calibration["scratch"]}
        for name, base in bases.items():
            gains = 100 * (scores.score - base[:, None])
            there = np.isfinite(gains).sum(axis=0)
            expected = np.where(there > 0, np.nansum(gains, axis=0) / np.maximum(there, 1), np.nan)
            found, rows = computed(shown, scores, "gain_points", name)
            same(found, expected, "gain_points")
            assert set(rows) == {"scratch", "template"}
            if name == "untuned":
                same(found, views.shown(replace(scores, protocol="init"), "over_scratch")[0], "gain_points")


@needs_browser
def test_colours_end_where_the_statistics_say(written, show):
    every, path = written
    shown = show(path)
    for protocol in PROTOCOLS:
        group = [scores for scores in every if scores.protocol == protocol]
        for view in SHOWN:
            found = shown.evaluate("([view, protocol]) => limitsOf(view, {protocol, baseline: 'zero_shot'})", [view, protocol])
            assert found == pytest.approx(views.colour_limits(group, view), rel=1e-3)
    found = shown.evaluate("limitsOf('gain_points', {protocol: 'init', baseline: 'untuned'})")
    assert found == pytest.approx(views.colour_limits([one for one in every if one.protocol == "init"], "over_scratch"), rel=1e-3)


@needs_browser
def test_a_protocol_opens_with_its_own_baseline_and_everything_follows_another_one(written, show):
    _, path = written
    shown = show(path, "#protocol=frozen&method=coop&ranked=task_03")
    read = """() => [state.baseline, document.querySelector('#choose-baseline').value,
      document.querySelector('#choose-view').selectedOptions[0].text,
      document.querySelector('#legend').textContent, document.querySelector('#ranking svg').getAttribute('aria-label'),
      document.querySelector('#matrix-words').textContent, document.querySelector('#tiles').textContent, limitsOf()[1]]"""
    first = shown.evaluate(read)
    assert first[:2] == ["zero_shot", "zero_shot"] and first[2] == "Gain over zero-shot (points)"
    shown.select_option("#choose-baseline", "own")
    after = shown.evaluate(read)
    assert after[:2] == ["own", "own"] and "baseline=own" in shown.url
    for words in (after[2], after[4], after[5], after[6]):
        assert "the target\u2019s own prompt" in words
    assert "0 = the prompt of the target itself" in after[3] and "zero-shot" not in after[4] and after[7] != first[7]
    own = shown.evaluate("[...document.querySelectorAll('#heatmap td.own')].map(one => one.textContent)")
    assert set(own) <= {"0", ""} and "0" in own
    shown.evaluate("set({protocol: 'init'})")
    assert shown.evaluate("state.baseline") == "own"
    shown.evaluate("set({baseline: null})")
    assert shown.evaluate("state.baseline") == "untuned"
    shown.evaluate("set({protocol: 'frozen'})")
    assert shown.evaluate("state.baseline") == "zero_shot", "who looked at a protocol's own baseline goes on doing so"


@needs_browser
def test_seeds_are_chosen_and_cells_ranking_and_panel_follow(written, show):
    every, path = written
    shown = show(path, "#protocol=frozen&method=coop&view=raw&order=name&source=task_01&target=task_02&ranked=task_02")
    shown.locator("#choose-seeds label", has_text="1").click()
    assert "seeds=2%2C3" in shown.url and shown.evaluate("state.seeds") == "2,3"
    coop = next(one for one in every if (one.protocol, one.method) == ("frozen", "coop"))
    mean = 100 * views.shown(of_seeds(coop, (2, 3)), "raw")[0]
    drawn = shown.evaluate("[...document.querySelectorAll('#heatmap td.cell:not(.margin)')].map(one => one.textContent)")
    assert drawn[:49] == ["" if np.isnan(one) else f"{one:.0f}" for one in mean.ravel()]
    panel = shown.inner_text("#panel")
    assert "seed\u00a02" in panel and "seed\u00a01\t" not in panel
    shown.locator("#choose-seeds label", has_text="2").click()
    shown.locator("#choose-seeds label", has_text="3").click()
    assert shown.evaluate("state.seeds") is None, "without any seed there would be nothing to see"
    assert shown.locator("#choose-seeds input:checked").count() == 3
