"""A finished study that is asked how well prompts can be chosen gets tries and the tables that speak of them, and nothing else."""

import json
import re

import pandas as pd
import pytest

pytestmark = pytest.mark.study


def test_a_finished_study_gets_tries_and_tables_only(study):
    before = study.contents("cells", "prompts", "draws", "encoded", "tasks", "probes")
    table = (study.results / "tables" / "transfer.csv").read_bytes()
    study.configure(choice={"draws": 1, "shots": [2, 1], "estimators": []})
    told = study.run("--dry-run").partition("Job stats:")[2].partition("total")[0]
    # A look is what shows a dry run that the configuration is another one.
    jobs = {name for name, _ in re.findall(r"^(\w+) +(\d+)$", told, re.MULTILINE)} - {"all", "look"}
    assert jobs == {"try_coop", "try_vpt", "choice", "describe", "statistics", "figures", "page", "provenance"}
    assert "8 of 8 tries are missing" in study.run()
    assert study.contents("cells", "prompts", "draws", "encoded", "tasks", "probes") == before
    assert (study.results / "tables" / "transfer.csv").read_bytes() == table
    made = pd.read_parquet(study.results / "tables" / "choice.parquet")
    assert {*zip(made["method"], made["shots"], strict=True)} == {(one, k) for one in ("coop", "vpt", "coop+vpt") for k in (1, 2)}
    assert {"try", "oracle", "random", "static_list"} <= {*made["rule"]} and (made["n_tasks"] == 4).all()
    assert len(json.loads((study.results / "summary.json").read_text())["choice"]) == len(made)
    assert "Nothing to be done" in study.run("--dry-run")
