"""What Snakemake's own report of a finished study lists, and how."""

import json
import zipfile

from promptatlas.study.designs import DESIGNS
from promptatlas.study.study import TABLES
from tiny_study import ROOT

CAPTIONS = ROOT / "workflow/report"


def block(page: str, name: str):
    """What the report's page knows of its results, under `name`."""
    return json.JSONDecoder().raw_decode(page.rpartition(f"var {name} = ")[2])[0]


def test_the_page_every_figure_and_every_table_are_listed_with_words_and_captions(study):
    study.run("--report", "told.zip")
    with zipfile.ZipFile(study.folder / "told.zip") as archive:
        page = archive.read("told/report.html").decode()
    listed, results = block(page, "categories"), block(page, "results")
    by = {category: {path for paths in below.values() for path in paths} for category, below in listed.items()}
    figures = {f"results/tiny/figures/{path.name}" for path in (study.results / "figures").glob("*.svg")}
    matrices = {path for path in figures if "/heatmap-" in path}
    assert by == {
        "Page": {"results/tiny/report.html"},
        "Tables": {f"results/tiny/tables/{path.name}" for path in (study.results / "tables").glob("*.csv")},
        "Transfer matrices": matrices,
        "Effects and comparisons": figures - matrices,
    }
    assert len(matrices) > 8 and len(figures - matrices) > 2 and len(by["Tables"]) == len([*(study.results / "tables").glob("*.parquet")])
    told = results["results/tiny/figures/heatmap-frozen-coop-raw.svg"]
    assert told["labels"] == {"method": "CoOp", "protocol": "frozen", "scale": "Score as measured"}
    assert told["caption"].startswith("<p>One matrix:") and "Each measure" in results["results/tiny/figures/correlations.svg"]["caption"]
    assert all(result["caption"] for result in results.values())
    assert "which visual task helps which" in page.lower()


def test_every_table_of_every_design_has_a_caption_and_there_is_no_other():
    tables = {*TABLES, "joint", "choice", *(name for design in DESIGNS.values() for name in design.ending.tables)}
    assert {path.stem for path in (CAPTIONS / "tables").glob("*.rst")} == tables
