"""new_task.ipynb runs on any finished study, whatever it recommends. How it is kept is tested beside the other notebook."""

import nbformat
import pytest
from nbclient import NotebookClient

from tiny_study import ROOT


@pytest.mark.study
def test_it_runs_from_top_to_bottom(finished, monkeypatch):
    monkeypatch.setenv("PROMPTATLAS_STUDY", str(finished.results))
    notebook = nbformat.read(ROOT / "notebooks" / "new_task.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    said = [str(output) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("zero-shot prompt:" in text for text in said) and any("is said to be" in text for text in said)
    assert sum("image/png" in text for text in said) == 2
