"""A method, a measure and a metric from files that a configuration names go through Snakemake to a cell, a table and the page; a change
of a file makes stale what it gave, and nothing else."""

import hashlib
import json
import re
import subprocess
import tarfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from promptatlas.base import plugins
from promptatlas.runs import session
from promptatlas.study import configuration
from tiny_study import ENVIRONMENT, PROMPTATLAS, begin

METHOD = """
from promptatlas.methods import Setting, register

register(
    "angle", "angle_net.py:Angle", title="One vector at an angle", description="a direction and its length",
    length=Setting(0.5, "of the vector at the start"),
)
"""
NET = """
import torch
from torch import nn
from promptatlas.methods.losses import cross_entropy


class Angle(nn.Module):
    text, visual = True, False

    def __init__(self, architecture, settings, generator):
        super().__init__()
        self.direction = nn.Parameter(torch.randn(architecture.text_width, generator=generator))
        self.length = nn.Parameter(torch.tensor(settings["length"]))

    def forward(self):
        return (self.length * nn.functional.normalize(self.direction, dim=0)).view(1, 1, -1), None

    def loss(self, logits, text, image, teacher_text, teacher_image, labels):
        return cross_entropy(logits, labels) + 0.1 * self.length**2
"""
MEASURE = """
import numpy as np
from promptatlas.evaluation.similarity.registry import measure


@measure("by_size", "Number of classes", family="label", directed=False, needs=["class_names"])
def by_size(corpus):
    sizes = np.array([len(own) for own in corpus.classes], float)
    return -abs(sizes[:, None] - sizes)
"""
DOCS = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
READER, METRIC, PROTOCOL = (
    next(code for code in re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL) if mark in code)
    for mark in ("readers.register", "metrics.register", "protocols.register")
)
FILES = {
    "angle.py": METHOD, "angle_net.py": NET, "by_size.py": MEASURE, "text_list.py": READER, "top2.py": METRIC, "brief.py": PROTOCOL,
}  # fmt: skip
PAINTS = {"source": {"reader": "text_list", "list": "studies/paints.txt"}, "metric": "top2"}
OURS = {
    "plugins": [name for name in FILES if name != "angle_net.py"], "methods": ["coop", "angle"],
    "tasks": ["shapes", "colors", "glasses", "paints"], "data": {"paints": PAINTS}, "data_root": ".", "protocols": ["frozen", "brief"],
    "settings": {"angle": {"epochs": 1}},
}  # fmt: skip
CHANGED = "the code of angle, from studies/angle.py, has changed since the tables were made; its results are stale"


@pytest.fixture(scope="module")
def study(tmp_path_factory, backbone):
    study = begin(tmp_path_factory.mktemp("plugins"), backbone, methods=["coop"])
    folder = study.folder / "studies"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    lines, colours = [], {"red": (200, 10, 10), "green": (10, 200, 10), "blue": (10, 10, 200)}
    for number in range(36):
        name = [*colours][number % 3]
        Image.new("RGB", (40, 40), tuple(part + number for part in colours[name])).save(folder / f"{number}.png")
        lines.append(f"{'test' if number > 23 else 'train'} {name} {number}.png")
    (folder / "paints.txt").write_text("\n".join(lines))
    (folder / "ours.yaml").write_text(yaml.safe_dump(OURS))
    return study


def planned(told: str) -> set[str]:
    """The jobs that a dry run lists."""
    return {line.split()[0] for line in told.split("Job stats:")[1].splitlines() if re.fullmatch(r"\w+ +\d+", line)}


def status(study) -> subprocess.CompletedProcess:
    command = [PROMPTATLAS, "status", "--configfile", "studies/ours.yaml"]
    return subprocess.run(command, cwd=study.folder, env=ENVIRONMENT, text=True, capture_output=True, timeout=600)


def test_what_plugins_register_reaches_cells_tables_and_page_and_a_change_only_what_it_made(study):
    """A method, a measure, a metric, a data source and a protocol at once."""
    ours = ("--configfile", "studies/ours.yaml")
    study.run(*ours)
    cells = {name: json.loads(text) for name, text in study.contents("cells").items()}
    own = [cell for cell in cells.values() if cell["method"] == "angle"]
    assert len(own) == 2 * 4 * 6 and all(0 <= cell["score"] <= 1 for cell in own)
    assert {cell["metric"] for cell in own if cell["target"] == "paints"} == {"top2"}
    assert {cell["protocol"] for cell in own} == {"frozen", "brief"}
    transfer = pd.read_parquet(study.results / "tables" / "transfer.parquet")
    similarity = pd.read_parquet(study.results / "tables" / "similarity.parquet")
    assert {*transfer["method"]} == {"coop", "angle"} and "by_size" in {*similarity["measure"]}
    page = (study.results / "report.html").read_text()
    titles = ("One vector at an angle", "Number of classes", "among the first two", "tuned on the target for one epoch")
    assert [title for title in titles if title not in page] == [] and {*transfer["protocol"]} == {"frozen", "brief"}
    tasks = pd.read_parquet(study.results / "tables" / "tasks.parquet").set_index("task")
    assert tasks.loc["paints", "classes"] == 3
    provenance = json.loads((study.results / "provenance.json").read_text())
    assert [one["name"] for one in provenance["plugins"]] == OURS["plugins"] and "code" in provenance["config"]["settings"]["angle"]
    assert "code" not in provenance["config"]["settings"]["coop"]
    assert "Nothing to be done" in study.run(*ours) and status(study).returncode == 0

    net = study.folder / "studies" / "angle_net.py"
    net.write_text(NET.replace("0.1 *", "9.0 *"))
    told = study.run(*ours, "-n")
    assert CHANGED in told and planned(told) >= {"tune_angle", "transfer_frozen_angle", "page"}
    assert not [name for name in planned(told) if name.startswith(("tune_coop", "transfer_frozen_coop", "similarity", "encode", "probe"))]
    said = status(study)
    rows = {line[:24].strip(): line[24:].split()[:4] for line in said.stdout.splitlines()}
    assert said.returncode == 4 and CHANGED in said.stderr
    assert rows["prompts angle"] == ["0", "0", "4", "0"] and rows["prompts coop"] == ["4", "0", "0", "0"]
    assert rows["frozen cells coop"] == ["24", "0", "0", "0"]
    before, marks = study.contents("prompts", "cells"), (study.results / "tables" / "similarity.parquet").stat().st_mtime_ns
    study.run(*ours)
    after = study.contents("prompts", "cells")
    assert {name for name in after if "/angle/" in name} and all(
        (before[name] == after[name]) == ("/angle/" not in name) for name in after if name.startswith("prompts")
    )
    assert all(before[name] == after[name] for name in after if "/coop/" in name)
    assert (study.results / "tables" / "similarity.parquet").stat().st_mtime_ns == marks
    assert "Nothing to be done" in study.run(*ours) and status(study).returncode == 0

    # What is published holds the code, without the folders of this machine, and says what it holds.
    command = [PROMPTATLAS, "pack", "--configfile", "studies/ours.yaml", "-o", "tiny.tar.gz"]
    packed = subprocess.run(command, cwd=study.folder, env=ENVIRONMENT, text=True, capture_output=True, timeout=600)
    assert packed.returncode == 0, packed.stderr
    with tarfile.open(study.folder / "tiny.tar.gz") as archive:
        held = {name: archive.extractfile(name).read() for name in archive.getnames()}
    for name in FILES:
        assert held[f"tiny/plugins/{name}"] == (study.folder / "studies" / name).read_bytes()
    told = json.loads(held["tiny/provenance.json"])["plugin_files"]
    assert told == {f"plugins/{name}": hashlib.sha256(held[f"tiny/plugins/{name}"]).hexdigest() for name in FILES}

    measure = study.folder / "studies" / "by_size.py"
    measure.write_text(MEASURE.replace("-abs", "-2 * abs"))
    told = planned(study.run(*ours, "-n"))
    assert "similarity" in told and told.isdisjoint({"tune_angle", "tune_coop", "transfer_frozen_angle", "transfer_frozen_coop"})
    said = status(study)
    assert said.returncode == 4 and "plugin_code" in said.stdout

    measure.write_text(MEASURE)
    assert status(study).returncode == 0
    protocol = study.folder / "studies" / "brief.py"
    protocol.write_text(PROTOCOL.replace("tuned on the target for one epoch", "tuned for an epoch"))
    assert {"describe", "page"} <= planned(study.run(*ours, "-n")) and status(study).returncode == 4


def test_a_mistake_in_a_plugin_is_one_sentence_before_any_job(study):
    folder = study.folder / "studies"
    (folder / "wrong.py").write_text("import no_such_package\n")
    (folder / "wrong.yaml").write_text(yaml.safe_dump(OURS | {"plugins": ["wrong.py"]}))
    words = r"`plugins`: studies/wrong\.py cannot be loaded, because of ModuleNotFoundError: .*no_such_package.* \(line 1\); mend it, or"
    assert re.search(words, study.fails("--configfile", "studies/wrong.yaml", "-n"))
    command = [PROMPTATLAS, "status", "--configfile", "studies/wrong.yaml"]
    done = subprocess.run(command, cwd=study.folder, env=ENVIRONMENT, text=True, capture_output=True, timeout=600)
    assert done.returncode == 1 and re.search(words, done.stderr) and len(done.stderr.splitlines()) == 1


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    plugins.load([])


def test_files_count_from_the_configuration_that_names_them(here, capsys):
    (here / "studies").mkdir()
    for name, text in FILES.items():
        (here / "studies" / name).write_text(text)
    usual, above = here / "config.yaml", here / "studies" / "ours.yaml"
    usual.write_text("study: tiny\nplugins: [elsewhere.py]\n")
    above.write_text(yaml.safe_dump(OURS))
    given = configuration.load(usual) | configuration.load(above)
    study = session.plan(given, [usual, above])
    assert given["plugins"] == [f"studies/{name}" for name in OURS["plugins"]] == study.config["plugins"]
    assert study.methods == ("coop", "angle")
    less = {"plugins": ["studies/angle.py"], "tasks": ["shapes", "colors"], "data": {}, "protocols": ["frozen"]}
    typed = configuration.load(usual) | configuration.load(above) | less
    assert session.plan(typed, [usual, above]).config["plugins"] == ["studies/angle.py"], "on the command line from the working directory"
    (here / "mine.py").write_text("")
    above.write_text(yaml.safe_dump(OURS | {"plugins": ["mine.py", "no.module"]}))
    with pytest.raises(SystemExit):
        session.plan(configuration.load(above), [usual, above])
    told = capsys.readouterr().err
    assert "`plugins`: there is no" in told and "write `../mine.py` or the whole path" in told


def test_where_the_file_lies_is_no_part_of_what_is_measured(here):
    """Two places, one description: the code counts, and a study without plugins is described as ever."""
    (here / "angle.py").write_text(METHOD)
    (here / "angle_net.py").write_text(NET)
    (here / "copy").mkdir()
    for name in ("angle.py", "angle_net.py"):
        (here / "copy" / name).write_bytes((here / name).read_bytes())
    places = ("angle.py", "copy/angle.py")
    described = [session.plan({"methods": ["coop", "angle"], "plugins": [place]}).description for place in places]
    assert described[0] == described[1] and "plugins" not in described[0]
    assert "plugins" not in session.plan({"methods": ["coop"]}).description
