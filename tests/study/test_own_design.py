"""A design and a protocol from outside: one class and one object, and the configuration, the jobs, the tables and the page know them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

import browser
from promptatlas.analysis import paper_protocols, statistics
from promptatlas.analysis.statistics import views
from promptatlas.analysis.statistics.matrices import Scores, collect
from promptatlas.base.errors import UserError
from promptatlas.base.registry import Plugin, adding, forget
from promptatlas.records.cells import Cell
from promptatlas.report import page as statistics_page
from promptatlas.report.figures.matrix import heatmap
from promptatlas.report.page import protocol as page
from promptatlas.study import designs, protocols
from promptatlas.study.study import Study
from synthetic_study import cells, similarity_table, tasks_table, transfer_table, tuning_table

ROOT = Path(__file__).parents[2]
TASKS = ["shapes", "colors", "textures", "digits_rendered"]
CONFIG = {"tasks": TASKS, "methods": ["coop"], "seeds": [1, 2]}


@pytest.fixture(autouse=True)
def origin():
    """What a test registers is from outside and is forgotten after it."""
    outside = Plugin("toy.py", Path("toy.py"), "0" * 64)
    with adding(outside):
        yield outside
    forget(outside)


def ring() -> type[designs.Design]:
    @designs.register
    class Ring(designs.Design):
        name = "ring"
        question = "Does a prompt hold for its neighbour?"
        words = "A prompt is tried on its own task and on the next in the list."

        def tries(self, source: str, target: str) -> bool:
            return (self.tasks.index(target) - self.tasks.index(source)) % len(self.tasks) < 2

    return Ring


def test_a_design_or_protocol_that_cannot_be_called_is_refused():
    with pytest.raises(UserError, match=r"design `odd`: its `tries` takes \(self, source\), but is called with \(self, source, target\)"):
        designs.register(type("Odd", (designs.Matrix,), {"name": "odd", "tries": lambda self, source: True}))
    about = {"title": "", "rows": "", "columns": ""}
    with pytest.raises(UserError, match=r"protocol 'odd': its `settings` takes \(settings\), but is called with \(settings, config\)"):
        protocols.Protocol("odd", **about, settings=lambda settings: settings)
    with pytest.raises(UserError, match=r"protocol 'odd': its baseline is 'shuffled'; it is one of scratch, template"):
        protocols.Protocol("odd", **about, baseline="shuffled")


def test_a_protocol_says_over_which_row_gains_are_shown():
    """Usually over the untuned prompt where prompts are tuned, else over the zero-shot one; either may choose the other."""
    about = {"title": "", "rows": "", "columns": ""}
    tuning = {**about, "settings": lambda settings, config: settings}
    given = {
        "as_is": about,
        "as_is_over_start": about | {"baseline": "scratch"},
        "tuned": tuning,
        "tuned_over": tuning | {"baseline": "template"},
    }
    for name, one in given.items():
        protocols.register(protocols.Protocol(name, **one))
    row = np.full((1, 2), 0.5)
    scores = {
        name: Scores(
            name,
            "coop",
            ("a", "b"),
            (1,),
            np.full((1, 2, 2), 0.75),
            {"scratch": row, "template": row - 0.25},
            *np.ones((2, 2)),
            row[0],
            row[0],
        )
        for name in given
    }
    assert [views.has(one, "over_scratch") for one in scores.values()] == [False, True, True, False]
    assert views.has(scores["tuned_over"], "gain_points")
    assert (views.shown(scores["as_is_over_start"], "over_scratch")[0] == 25).all()
    known = {name: (protocols.PROTOCOLS[name].baseline, protocols.PROTOCOLS[name].tunes) for name in ("frozen", "init")}
    assert known == {"frozen": ("template", False), "init": ("scratch", True)}


def brief() -> protocols.Protocol:
    return protocols.register(
        protocols.Protocol(
            "brief",
            title="tuned on the target for a moment",
            rows="source: where it starts",
            columns="target: where it ends",
            after=", for a moment",
            settings=lambda settings, config: {**settings, "epochs": 1},
            targets_per_job=2,
        )
    )


def test_a_design_reaches_the_configuration_the_jobs_and_the_tables():
    with pytest.raises(UserError, match="unknown design `ring` under `design`"):
        Study(CONFIG | {"design": "ring"})
    ring()
    study = Study(CONFIG | {"design": "ring"})
    pairs = {(cell.source, cell.target) for cell in study.cells}
    assert pairs == {(a, b) for a, b in zip(TASKS, [*TASKS[1:], *TASKS[:1]], strict=True)} | {(a, a) for a in TASKS} | {
        (row, task) for row in ("scratch", "template") for task in TASKS
    }
    assert {path for job in study.jobs.transfer for path in job.outputs} == {study.paths.cell(cell) for cell in study.cells}
    assert [path.name for path in study.tables if "protocol" in path.name] == ["protocol.parquet", "protocol.csv"]
    assert study.design.ending is designs.PRINTED and study.paths.figures not in study.conclusions


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocols": ["init"]}, r"`design: ring` uses prompts as they are, so `protocols` must be \[frozen\]"),
        ({"sources": ["shapes"]}, "`sources` is for `design: cross_dataset` and `design: domain`, not for ring"),
        ({"joint": "auto"}, "`joint` is for `design: matrix` and `design: few_shot`, not for ring"),
        ({"methods": ["tip_adapter"]}, "or write `design: few_shot` to compare methods"),
    ],
)
def test_what_a_design_does_not_take_is_refused(changes, words):
    ring()
    with pytest.raises(UserError, match=words):
        Study(CONFIG | {"design": "ring"} | changes)


def test_a_design_with_abilities_is_named_where_they_are_asked_for():
    of_sources = ring()
    of_sources.takes_sources = True
    with pytest.raises(UserError, match="for `design: cross_dataset`, `design: domain` and `design: ring`, not for matrix"):
        Study(CONFIG | {"sources": ["shapes"]})
    study = Study(CONFIG | {"design": "ring", "sources": ["shapes"]})
    assert study.learners == ("shapes",) and {cell.target for cell in study.cells if cell.source == "shapes"} == {"shapes", "colors"}


def test_the_page_of_a_design_says_its_question_its_words_and_its_scores(tmp_path):
    ring()
    study = Study(CONFIG | {"design": "ring"})
    tried = [
        {"protocol": one.protocol, "method": "coop", "source": one.source, "target": one.target, "seed": one.seed} for one in study.cells
    ]
    transfer = pd.DataFrame(tried).assign(shots=16, backbone="mini", seconds=1.0)
    transfer["score"] = [
        TASKS.index(cell["target"]) / 10 + 0.01 * TASKS.index(cell["source"]) if cell["source"] in TASKS else 0.9 for cell in tried
    ]
    about = {"classes": 5, "n_test": 10, "metric": "accuracy", "chance": 0.2, "zero_shot": 0.5, "split_source": "drawn"}
    tasks = pd.DataFrame([{"task": task, "title": task, **about} for task in TASKS])
    table = paper_protocols.with_published(paper_protocols.measured(transfer, study.design), study.design, "mini", 16, study.config)
    assert len(table) == 4 + 8 and set(table["design"]) == {"ring"}
    summary = paper_protocols.summary(table, transfer, tasks, pd.DataFrame({"method": [], "target": [], "score": []}), study.design)
    page.write(table, tasks, study.description, summary, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert study.design.question in text and study.design.words in text and text.count(">12.00</td>") == 0 and ">31.00<" not in text
    assert ">33.00</td>" in text and ">32.00</td>" in text and ">3.00</td>" in text  # on itself, on the next, on the first


def test_a_protocol_reaches_the_configuration_the_jobs_and_their_settings():
    with pytest.raises(UserError, match="unknown protocol `brief` under `protocols`"):
        Study(CONFIG | {"protocols": ["brief"]})
    brief()
    study = Study(CONFIG | {"protocols": ["frozen", "brief", "init"]})
    assert [(job.protocol, len(job.targets)) for job in study.jobs.transfer] == [("frozen", 4), ("brief", 2), ("brief", 2), ("init", 4)]
    settings = study.settings("coop")
    assert study.target_settings("brief", "coop") == {**settings, "epochs": 1} and study.target_settings("frozen", "coop") == settings
    assert [job.params.get("init_settings", {}).get("epochs") for job in study.jobs.transfer] == [None, 1, 1, 5]
    tuned = {(cell.protocol, cell.source) for cell in study.cells if study.tunes(cell)}
    assert tuned == {(name, source) for name in ("brief", "init") for source in (*TASKS, "scratch")}
    assert "results/mini/cells/brief/coop/seed1/shapes/colors.json" in map(str, study.all_cells)


def test_a_protocol_that_tunes_as_long_as_a_source_prompt_starts_from_the_targets_own():
    protocols.register(protocols.Protocol("again", title="", rows="", columns="", settings=lambda settings, config: dict(settings)))
    study = Study(CONFIG | {"protocols": ["again"], "jobs": {"targets_per_job": 1, "prompts_per_job": 1, "sources_per_job": 1}})
    scratch = Cell("again", "coop", 1, "shapes", "scratch")
    assert study.starts_from_targets("again", "coop") and not study.tunes(scratch) and not study.untrained(scratch)
    (job,) = [job for job in study.jobs.transfer if job.targets == ("shapes",) and job.sources == ("scratch",)]
    assert [name for name in job.needs if name.startswith("tune")] == ["tune_coop_shapes"]


def test_the_words_and_the_epochs_of_a_protocol_reach_the_figures_and_the_page(tmp_path):
    brief()
    transfer, similarity, tasks = transfer_table(5, protocols=("frozen", "brief")), similarity_table(5), tasks_table(5)
    table = statistics.analyse(transfer, similarity, tasks, permutations=9)
    summary = statistics.summary(transfer, similarity, table, tasks)
    assert {one["protocol"] for one in summary["by_method"]} == {"frozen", "brief"}
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(5)}
    config = browser.CONFIG | {"settings": {"coop": {"epochs": 30}, "vpt": {"epochs": 40}}}
    statistics_page.write(tables, config, cells(transfer, tasks), tmp_path / "report.html", summary)
    data = browser.embedded(tmp_path / "report.html")
    words = data["words"]["protocols"]["brief"]
    assert words["title"] == "tuned on the target for a moment" and words["tunes"] and not data["words"]["protocols"]["frozen"]["tunes"]
    assert data["tuned_epochs"] == {"frozen": {}, "brief": {"coop": 1, "vpt": 1}}
    assert [data["matrices"][f"{name}/coop"]["baseline"] for name in ("frozen", "brief")] == ["zero_shot", "untuned"]
    (scores,) = (one for one in collect(transfer, tasks) if (one.protocol, one.method) == ("brief", "coop"))
    titles = {name: name for name in scores.tasks}
    figure = heatmap(scores, "over_scratch", scores.tasks, titles, (-1, 1))
    drawn = [" ".join(text.get_text().split()) for text in figure.findobj(Text)]  # without the breaks of lines
    assert "source: where it starts" in drawn and any(text.startswith("CoOp, for a moment: ") for text in drawn)


def test_a_protocol_that_loses_or_adds_a_setting_is_refused():
    def odd(settings, config):
        return {key: value for key, value in settings.items() if key != "epochs"} | {"epoch": 1}

    protocols.register(protocols.Protocol("odd", title="", rows="", columns="", settings=odd))
    with pytest.raises(UserError, match=r"protocol odd: the settings that it makes of those of coop must .*; see to epoch, epochs$"):
        Study(CONFIG | {"protocols": ["odd"]})
    Study(CONFIG)


def test_what_the_manual_registers_is_known_to_a_configuration_that_lists_its_file(tmp_path, monkeypatch):
    """The examples of docs/plugins.md, as files."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "plugins.md").read_text(), flags=re.DOTALL)
    (tmp_path / "own.py").write_text("\n".join(block for block in blocks if "designs" in block or "protocols" in block))
    study = Study(CONFIG | {"plugins": ["own.py"], "design": "neighbours"})
    assert {(cell.source, cell.target) for cell in study.cells} >= {
        ("shapes", "shapes"),
        ("shapes", "colors"),
        ("digits_rendered", "shapes"),
    }
    assert ("shapes", "textures") not in {(cell.source, cell.target) for cell in study.cells}
    tuned = Study(CONFIG | {"plugins": ["own.py"], "protocols": ["frozen", "brief"]})
    assert tuned.target_settings("brief", "coop")["epochs"] == 1 and {job.protocol for job in tuned.jobs.transfer} == {"frozen", "brief"}
    with pytest.raises(UserError, match="unknown design `neighbours`"):
        Study(CONFIG | {"design": "neighbours"})


@pytest.mark.parametrize("name", ["frozen", "init"])
def test_the_librarys_own_are_not_replaced(name):
    with pytest.raises(UserError, match=f"there is a protocol `{name}` already"):
        protocols.register(protocols.Protocol(name, title="", rows="", columns=""))
    with pytest.raises(UserError, match="there is a design `matrix` already"):
        designs.register(type("Other", (designs.Matrix,), {"name": "matrix"}))


@pytest.mark.parametrize("name", ["a b", "", "../up", "a/b"])
def test_a_name_that_no_table_could_have_is_refused(name):
    with pytest.raises(UserError, match=r"^protocol .*: a name has letters, digits and _ only"):
        protocols.register(protocols.Protocol(name, title="", rows="", columns=""))
    with pytest.raises(UserError, match=r"^design .*: a name has letters, digits and _ only"):
        designs.register(type("Other", (designs.Matrix,), {"name": name}))
