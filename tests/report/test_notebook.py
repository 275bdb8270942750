"""The notebooks as a forge shows them, and explore.ipynb run on any finished study. new_task.ipynb runs in tests/workflow."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from promptatlas.analysis import statistics
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    """What each output of the code says, or what kind it is."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [str(output.get("data", {})) + str(output.get("text", "")) for output in outputs]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_what_its_cells_gave(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run from top to bottom"
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert kinds <= {"stream", "display_data", "execute_result"} and sum("image/png" in text for text in texts(notebook)) >= 2
    assert path.stat().st_size < 1_000_000 and not re.search(r"/(home|root|tmp|work|Users)/", path.read_text()), "no folders of a machine"
    assert not [name for cell in code for output in cell.outputs if (name := output.get("name")) == "stderr"]


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["explore", "new_task"]


def stored(name: str) -> str:
    return "\n".join(texts(nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)))


def test_what_explore_shows_is_the_recorded_run():
    summary = json.loads((ROOT / "docs" / "mini.json").read_text())
    shown = stored("explore")
    for one in summary["by_method"]:
        counts = one["transfer_helps"]
        assert re.search(
            rf"frozen +{one['method']} +{counts['pairs']} +3 +{counts['helps']:.3f} +{counts['every_seed_over_zero_shot']:.3f}", shown
        )


def test_the_tutorial_and_the_notebook_on_a_new_task_say_the_same():
    """Both draw the same images and ask the same study."""
    tutorial = (ROOT / "docs" / "tutorial.md").read_text()
    (answer,) = re.findall(r"```text\n(.*?)```", tutorial, re.S)
    words, shown = " ".join(answer.removesuffix("...\n").split()), " ".join(stored("new_task").split())
    assert words in shown and len(words) > 500
    drawing, source = (re.search(r"def swatch.*?return image\n", text, re.S) for text in (tutorial, code_of("new_task")))
    assert drawing and source and drawing[0] == source[0]
    hand, best = re.search(r"zero-shot prompt: ([\d.]+ %)", answer), re.search(r"^UPT +\w+ +\d +([\d.]+ %)", answer, re.M)
    assert hand and best and f"right on {hand[1]} of these images and the chosen one on {best[1]}" in " ".join(tutorial.split())


def code_of(name: str) -> str:
    return "\n".join(cell.source for cell in nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells)


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
def test_explore_runs_from_top_to_bottom_on_another_study(study, monkeypatch):
    monkeypatch.setenv("PROMPTATLAS_STUDY", str(study))
    notebook = nbformat.read(ROOT / "notebooks" / "explore.ipynb", as_version=4)
    NotebookClient(notebook, timeout=600, startup_timeout=600, kernel_name="python3").execute()
    said = texts(notebook)
    assert sum("image/png" in text for text in said) == 2
    assert any("Best sources for" in text for text in said) and any("vis_frechet" in text for text in said)
    assert any("as many classes" in text for text in said) and any("who helps whom" in text for text in said)
    assert any("receives, as a target" in text for text in said)
