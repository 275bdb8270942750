"""The example of docs/folder.md, run on a finished study from another folder."""

import re
from pathlib import Path

import matplotlib

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "folder.md").read_text()
(EXAMPLE,) = [block for block in re.findall(r"```python\n(.*?)```", MANUAL, re.S) if "promptatlas.Study(" in block]


def test_the_example_runs_as_it_stands(study, monkeypatch, capsys):
    study.folder.rename(study.folder.parent / "my-study")
    monkeypatch.chdir(study.folder.parent)
    names: dict = {}
    exec(EXAMPLE, names)
    told = capsys.readouterr().out
    assert "Nothing to be done" in told or "steps (100%) done" in told
    transfer, best = names["cells"], names["best"]
    assert {*transfer["method"]} == {"coop", "vpt"} and best.score == transfer.query("source != target")["score"].max()
    assert f"{names['prompt'].card['task']} for {best.target}" in told
    assert isinstance(names["study"].plot_matrix("coop"), matplotlib.figure.Figure)
    page = names["study"].report
    assert page.is_file() and page == Path("my-study/results/tiny/report.html").absolute()
