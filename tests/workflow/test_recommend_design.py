"""`design: recommend` run by Snakemake: an answer per target, again only for the target whose images changed."""

import json
import re

import pytest
import yaml
from PIL import Image

import prompt_studies
from own_images import folder_of_images
from tiny_study import Finished
from twins import TINY, twin

pytestmark = pytest.mark.study


def test_targets_are_answered_and_those_that_changed_again(tmp_path):
    source = tmp_path / "results/theirs"
    prompt_studies.write(source, twin(TINY | {"quick_gelu": False}, source / "backbone")[1], methods=("coop",), seeds=(1,))
    (source / "provenance.json").write_text("{}")
    for name in ("one", "two"):
        folder_of_images(tmp_path / f"images/{name}", count=2)
    config = {"study": "tiny", "design": "recommend", "recommend": {"from": ["results/theirs"]}, "device": "cpu"}
    config["data"] = {name: {"folder": f"images/{name}"} for name in ("one", "two")}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    study = Finished(tmp_path)
    study.run()
    answers = {name: study.results / "recommendations" / name / "recommendation.json" for name in ("one", "two")}
    assert {json.loads(path.read_text())["target"]["name"] for path in answers.values()} == {"one", "two"}
    assert (study.results / "report.html").exists() and (study.results / "tables/recommendation.csv").exists()
    assert "Nothing to be done" in study.run("--dry-run")
    Image.new("RGB", (9, 9)).save(tmp_path / "images/two/black/9.png")
    before = {name: path.stat().st_mtime_ns for name, path in answers.items()}
    assert re.search(r"^recommend +1$", study.run("--dry-run"), re.MULTILINE)
    study.run()
    assert [name for name, path in answers.items() if path.stat().st_mtime_ns != before[name]] == ["two"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config | {"recommend": {"from": ["results/thiers"]}}))
    assert "results/thiers, which does not exist" in study.fails("--dry-run")
