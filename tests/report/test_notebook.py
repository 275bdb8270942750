"""The notebook runs on any finished study."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from promptatlas.analysis import statistics
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "explore.ipynb"


@pytest.fixture
def study(tmp_path):
    transfer, similarity, tasks = transfer_table(6), similarity_table(6), tasks_table(6)
    table = statistics.analyse(transfer, similarity, tasks, permutations=99)
    tables = {
        "transfer": transfer,
        "similarity": similarity,
        "tasks": tasks,
        "tuning": tuning_table(6),
        "statistics": table,
    }
    (tmp_path / "tables").mkdir()
    for name, content in tables.items():
        content.to_parquet(tmp_path / "tables" / f"{name}.parquet", index=False)
    (tmp_path / "summary.json").write_text(json.dumps(statistics.summary(transfer, similarity, table, tasks)))
    return tmp_path


@pytest.mark.imports
def test_notebook_runs_from_top_to_bottom(study, monkeypatch):
    monkeypatch.setenv("PROMPTATLAS_STUDY", str(study))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the notebook is kept without outputs"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    texts = [str(output.get("data", {})) + str(output.get("text", "")) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in text for text in texts)
    assert any("Best sources for" in text for text in texts)
    assert any("vis_frechet" in text for text in texts)
