"""What the page shows of one cell when it is opened, read from a drawn page and compared with the cells it was made from."""

import json
import re
import shlex
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from browser import CONFIG, browse, embedded, needs_browser, pages
from page_study import study
from promptatlas.records.cells import packed_answers
from promptatlas.records.given_answers import packed_classes
from promptatlas.report import page
from promptatlas.report.page import markup, origin
from promptatlas.report.page.study_data import StudyData
from promptatlas.runs.asked import Asked
from promptatlas.study.study import Study
from small_tasks import write_task
from synthetic_study import cells

TARGET, SOURCE, IMAGES = "task_02", "task_01", 40
NAMES = ("red thing", "green", "blue sky", "grey")
ADDRESS = f"#method=coop&source={SOURCE}&target={TARGET}"
ASKED = Asked("elsewhere/Snakefile", ("my studies/a.yaml",), ("seeds=[1, 2, 3]",))


def answered(records: list[dict]) -> list[dict]:
    """The cells of the target with answers to its test images, in which zero-shot prompts are alike in all seeds."""
    labels, made = np.arange(IMAGES) % 4, []
    for one in records:
        if one["target"] != TARGET:
            made.append(one)
            continue
        rng = np.random.default_rng(7 if one["source"] == "template" else hash_of(one))
        given = np.where(rng.random(IMAGES) < 0.6, labels, rng.integers(0, 4, IMAGES))
        shares = {name: float((given == labels)[labels == number].mean()) for number, name in enumerate(NAMES)}
        about = {"n_test": IMAGES, "correct": packed_answers(given == labels), "answers": packed_classes(given), "per_class": shares}
        made.append(one | about | {"fingerprint": f"{one['seed']}" + 63 * "f", "parts": {"prompt": f"{one['seed']}" + 63 * "e"}})
    return made


def hash_of(one: dict) -> int:
    return sum(map(ord, f"{one['method']}{one['source']}{one['seed']}")) + 1000 * one["seed"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page, the cells that it was made from, and its study's data."""
    folder = tmp_path_factory.mktemp("panel")
    tables, summary = study(missing=False)
    records = answered(cells(tables["transfer"], tables["tasks"]))
    about = origin.of_study(Study({"methods": ["coop", "vpt"], "jobs": {"targets_per_job": 10}}), ASKED)
    data = StudyData({TARGET: write_task(folder / "colours")}, 4, about)
    page.write(tables, CONFIG, records, folder / "report.html", summary, beside=data)
    return folder / "report.html", records, data, (tables, summary)


def panel_of(path, tmp_path, address=ADDRESS) -> str:
    return re.search(r'<aside id="panel".*?</aside>', browse(path, tmp_path, address), re.S)[0]


def text_of(panel: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", panel)))


def own(records, source=SOURCE, method="coop") -> list[dict]:
    return [one for one in records if (one["method"], one["source"], one["target"]) == (method, source, TARGET)]


@needs_browser
def test_chromium_unpacks_what_python_packed(made, tmp_path):
    path = made[0]
    script = """<script>
      (async () => {
        const found = {};
        for (const kind of ["cells", "tuning"]) {
          found[kind] = {};
          for (const name of Object.keys(block("later")[kind])) found[kind][name] = await unpack(kind, name);
        }
        document.body.dataset.found = JSON.stringify(found);
      })();
    </script></body>"""
    (tmp_path / "played.html").write_text(path.read_text().replace("</body>", script))
    document = browse(tmp_path / "played.html", tmp_path)
    found, data = json.loads(unescape(re.search(r'data-found="([^"]*)"', document)[1])), embedded(path)
    assert found == {"cells": data["cells"], "tuning": data["tuning"]} and found["cells"]["frozen/coop"][SOURCE][TARGET]["confused"]


@needs_browser
@pytest.mark.parametrize(
    ("baseline", "reference"), [("", "template"), ("&baseline=untuned", "scratch"), ("&baseline=own", TARGET), ("&baseline=average", None)]
)
def test_classes_stand_by_their_change_over_the_chosen_baseline(made, tmp_path, baseline, reference):
    path, records, *_ = made
    others = [reference] if reference else [f"task_{number:02d}" for number in range(6) if f"task_{number:02d}" != TARGET]
    score = {name: 100 * np.mean([one["per_class"][name] for one in own(records)]) for name in NAMES}
    before = {name: 100 * np.mean([[one["per_class"][name] for one in own(records, other)] for other in others]) for name in NAMES}
    panel = panel_of(path, tmp_path, ADDRESS + baseline)
    table = re.search(r'<table class="classes">.*?</table>', panel, re.S)[0]
    shown = re.findall(r'<th scope="row"[^>]*>([^<]*)</th><td class="n">([^<]*)</td><td class="n">([^<]*)</td>', table)
    changes = [float(change.replace("−", "-")) for *_, change in shown]
    assert {name for name, *_ in shown} == {*NAMES} and changes == sorted(changes)
    for name, number, change in shown:
        assert float(number) == pytest.approx(score[name], abs=0.6)
        assert float(change.replace("−", "-")) == pytest.approx(score[name] - before[name], abs=0.7)


@needs_browser
def test_of_many_classes_the_middle_is_folded_and_none_is_left_out(made, tmp_path):
    tables, summary = made[3]
    many = [f"class {number}" for number in range(120)]
    records = [
        one | {"per_class": {name: ((hash_of(one) * 31 + place * 17) % 97) / 97 for place, name in enumerate(many)}}
        for one in cells(tables["transfer"], tables["tasks"])
        if one["target"] == TARGET
    ]
    page.write(tables, CONFIG, records, tmp_path / "report.html", summary)
    panel = panel_of(tmp_path / "report.html", tmp_path)
    inside = re.search(r"<details><summary>100 classes between: .*?</details>", panel, re.S)[0]
    assert inside.count('scope="row"') == 100 and panel.count('scope="row" dir') == 120


@needs_browser
def test_confusions_are_those_of_the_answers(made, tmp_path):
    path, records, *_ = made
    labels = np.arange(IMAGES) % 4
    found = embedded(path)["cells"]["frozen/coop"][SOURCE][TARGET]["confused"]
    panel = panel_of(path, tmp_path)
    words = text_of(panel)
    first = f"{NAMES[found[0][0]]} → {NAMES[found[0][1]]} {found[0][2] / 3:.1f} {100 * found[0][2] / 3 / 10:.0f}\u202f%"
    assert re.sub(r"\s", "", first) in re.sub(r"\s", "", words)
    matrix = re.search(r'<table class="confusions written">.*?</table>', panel, re.S)[0]
    titles = dict(re.findall(r'title="([^":]*): (\d+)', matrix))
    assert len(titles) == 16
    for row, name in enumerate(NAMES):
        assert int(titles[f"{name} answered {name}"]) == pytest.approx(
            100 * np.mean([one["per_class"][name] for one in own(records)]), abs=0.51
        )
        wrong = sum(times for origin_class, _, times in found if origin_class == row)
        assert wrong == round(sum((1 - one["per_class"][name]) * (labels == row).sum() for one in own(records)))


@needs_browser
def test_images_of_a_task_and_test_images_say_their_classes(made, tmp_path):
    panel = panel_of(made[0], tmp_path)
    alts = [unescape(one) for one in re.findall(r'<img[^>]*alt="([^"]*)"', panel)]
    assert {f"Task 2: {name}" for name in NAMES} <= {*alts}
    tested = [one for one in alts if one.startswith("Test image of class ")]
    assert tested and all(re.fullmatch(r"Test image of class [a-z ]+, answered [a-z ]+", one) for one in tested)
    assert "training images" in panel and "right with the zero-shot prompt only" in text_of(panel)
    assert panel.count("data:image/") == len(alts)


@needs_browser
def test_a_page_without_images_and_cells_without_answers_say_so_quietly(made, tmp_path):
    path, records, data, (tables, summary) = made
    (tmp_path / "published.html").write_text(markup.without(path.read_text(), "images"))
    words = text_of(panel_of(tmp_path / "published.html", tmp_path))
    assert "The page has no images" in words and "What is taken for what" in words and "training images" not in words
    page.write(tables, CONFIG, [one | {"answers": None} for one in records], tmp_path / "old.html", summary, beside=data)
    words = text_of(panel_of(tmp_path / "old.html", tmp_path))
    assert "does not hold the answers" in words and "training images" in words
    page.write(tables, CONFIG, records, tmp_path / "copied.html", summary, beside=replace(data, tasks={}))
    words = text_of(panel_of(tmp_path / "copied.html", tmp_path))
    assert "The page has no images" in words and "Not known: the prepared images" in words


@needs_browser
def test_files_hashes_versions_and_the_command_of_a_cell(made, tmp_path):
    panel = panel_of(made[0], tmp_path)
    words = text_of(panel)
    for seed in (1, 2, 3):
        assert f"results/mini/cells/frozen/coop/seed{seed}/{TARGET}/{SOURCE}.json fingerprint {seed}{11 * 'f'}…" in words
        assert f"results/mini/prompts/coop/seed{seed}/{SOURCE}.safetensors hash {seed}{11 * 'e'}…" in words
    about = made[2].origin
    assert about["made"]["precision"] == "float32" and "computed in float32" in words
    assert f"made by promptatlas {about['made']['version']}" in words and "provenance.json" in words
    commands = [unescape(one) for one in re.findall(r"<pre>(.*?)</pre>", panel, re.S)]
    assert len(commands) == 1, "promptatlas rerun would not find the Snakefile"
    before, _, command = commands[0].partition(" && ")
    assert shlex.split(before) == ["cd", about["folder"]]
    cell_files = [f"results/mini/cells/frozen/coop/seed{seed}/{TARGET}/{SOURCE}.json" for seed in (1, 2, 3)]
    assert shlex.split(command) == [
        "snakemake", "--snakefile", "elsewhere/Snakefile", "--cores", "2", "--configfile", "my studies/a.yaml", "--config",
        "seeds=[1, 2, 3]", f"only={SOURCE}", "--forcerun", *cell_files,
    ]  # fmt: skip


def test_logs_of_jobs_are_told_with_what_they_made(made):
    logs = made[2].origin["logs"]
    some = Study({"methods": ["coop", "vpt"], "jobs": {"targets_per_job": 10}})
    told = [one for one in logs["transfer"] if one["method"] == "coop"]
    assert len(told) == 2 and {target for one in told for target in one["targets"]} == {*some.tasks}
    assert {one["log"] for one in told} == {str(some.paths.log(job.name)) for job in some.jobs.transfer if job.method == "coop"}
    assert [one["sources"] for one in logs["tune"]] == [None, None] and told[0]["sources"] is told[0]["seeds"] is None


def test_a_study_cut_into_very_many_jobs_names_no_logs(monkeypatch):
    monkeypatch.setattr(origin, "MOST_JOBS", 3)
    assert origin.of_study(Study({}), Asked())["logs"] is None


def test_a_multitask_prompt_is_found_by_its_row():
    found = origin.of_study(Study({"multitask": "leave_one_out"}), Asked())["prompts"]
    some = Study({"multitask": "leave_one_out"})
    names = {"method": "coop", "seed": 2, "target": "shapes", "source": "colors"}
    assert found["multitask"].format(**names) == str(some.paths.multitask_source("coop", 2, "shapes"))
    assert found[""].format(**names) == str(some.paths.prompt("coop", 2, "colors"))


@needs_browser
def test_cells_after_the_first_open_at_once(made):
    """What a method's cells have is unpacked once: another cell of it is drawn in the same turn."""
    with pages() as show:
        shown = show(made[0], ADDRESS)
        shown.wait_for_selector("#panel .classes")
        drawn = shown.evaluate(f"set({{source: 'task_03', target: '{TARGET}'}}); document.querySelectorAll('#panel .classes').length")
        assert drawn == 1


def test_whole_paths_of_commands_are_known_to_who_publishes_the_page():
    asked = {
        "folder": "/home/me/work",
        "program": ["snakemake", "--snakefile", "/opt/atlas/Snakefile"],
        "files": ["--configfile", "a.yaml", "/data/b.yaml"],
    }
    data = {"origin": asked | {"values": ["seeds=[1]", "results=/data/out"]}}
    text = f'<script type="application/json" id="data">{markup.embedded(data)}</script>'
    assert origin.places(text) == {
        "/home/me/work": ".", "/opt/atlas/Snakefile": "Snakefile", "/data/b.yaml": "b.yaml", "/data/out": "out",
    }  # fmt: skip
    assert origin.places("<p>no data</p>") == {} and origin.places(text.replace("origin", "other")) == {}
