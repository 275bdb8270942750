"""A finished study says what it was made with, and packs into one archive that is the same whenever it is packed."""

import hashlib
import json
import os
import subprocess
import tarfile
from importlib.metadata import version

import pytest

from promptatlas import provenance
from tiny_study import CONFIG, ENVIRONMENT, PROMPTATLAS


def record(study) -> dict:
    return json.loads((study.results / "provenance.json").read_bytes())


def pack(study, name: str = "tiny.tar.gz") -> subprocess.CompletedProcess:
    command = [PROMPTATLAS, "pack", "-o", name]
    return subprocess.run(command, cwd=study.folder, env=ENVIRONMENT, text=True, capture_output=True)


def refused(study) -> str:
    """The one sentence with which packing is refused; nothing is left behind."""
    before = {*study.folder.iterdir()}
    done = pack(study)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and {*study.folder.iterdir()} == before, done.stderr
    return done.stderr


def test_the_record_names_versions_configuration_and_devices(finished):
    told = record(finished)
    assert told["versions"]["torch"] == version("torch") and told["versions"]["snakemake"] == version("snakemake")
    assert told["config"] == json.loads((finished.results / "config.json").read_bytes())
    assert told["config"]["tasks"] == CONFIG["tasks"] and "results" not in told["config"]
    logs = [*(finished.results / "logs").glob("tune_*.log"), *(finished.results / "logs").glob("transfer_*.log")]
    assert len(logs) == 4 and all("ran on " in log.read_text() for log in logs) and sum(told["devices"].values()) >= 4
    assert told["times"]["first_job_ended"] < told["times"]["last_job_ended"]


def test_the_record_hashes_what_went_in_and_what_came_out(finished):
    told = record(finished)
    folder = finished.results / "backbone"
    content = b"".join((folder / name).read_bytes() for name in ("backbone.safetensors", "architecture.json"))
    assert told["backbone"]["sha256"] == hashlib.sha256(content).hexdigest()
    for name, digest in told["results"].items():
        assert hashlib.sha256((finished.results / name).read_bytes()).hexdigest() == digest
    assert {"tables/transfer.csv", "summary.json", "report.html"} <= {*told["results"]}
    assert {*told["tasks"]} == {*told["draws"]} == {*CONFIG["tasks"]}
    cell = json.loads((finished.results / "cells/frozen/coop/seed1/shapes/colors.json").read_bytes())
    assert told["tasks"]["shapes"]["test"] == cell["parts"]["data_test"]
    drawn = json.loads((finished.results / "draws/shots2-seed1/shapes.json").read_bytes())
    assert told["draws"]["shapes"]["1"] == drawn["sha256"]


def test_the_state_of_the_code_is_that_of_its_checkout(tmp_path):
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, text=True, capture_output=True, check=True
        ).stdout.strip()

    assert provenance.code(tmp_path) == {"commit": None, "changed": None}
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "a.py").write_text("a = 1\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "a")
    assert provenance.code(tmp_path) == {"commit": git("rev-parse", "HEAD"), "changed": False}
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.csv").write_text("no code\n")
    assert provenance.code(tmp_path)["changed"] is False
    (tmp_path / "workflow" / "b.py").write_text("b = 1\n")
    assert provenance.code(tmp_path)["changed"] is True
    assert provenance.code(tmp_path / "workflow") == {"commit": None, "changed": None}


def test_a_study_packs_to_the_same_bytes_whenever_it_is_packed(study):
    assert pack(study, "one.tar.gz").returncode == 0
    for path in study.results.rglob("*"):
        os.utime(path, (1, 1))
    told = pack(study, "two.tar.gz")
    one, two = ((study.folder / name).read_bytes() for name in ("one.tar.gz", "two.tar.gz"))
    assert one == two and told.returncode == 0
    with tarfile.open(study.folder / "one.tar.gz") as archive:
        entries = archive.getmembers()
        names = [entry.name for entry in entries]
        packed = archive.extractfile("tiny/tables/transfer.csv").read()
    assert names == sorted(names) and all(entry.mtime == entry.uid == 0 and not entry.uname for entry in entries)
    wanted = {"tables/transfer.parquet", "prompts/coop/seed1/shapes.safetensors", "config.json", "provenance.json", "report.html"}
    assert {f"tiny/{name}" for name in wanted} <= {*names} and f"{len(names)} files" in told.stdout
    assert packed == (study.results / "tables" / "transfer.csv").read_bytes()
    assert not any(name.endswith(".npy") or "/backbone/" in name or "/tasks/" in name for name in names)


def test_an_unfinished_study_is_not_packed(study):
    missing = study.results / "cells" / "frozen" / "vpt" / "seed1" / "colors" / "shapes.json"
    missing.unlink()
    assert "is not finished: 1 of " in refused(study)


def test_a_study_whose_tables_were_changed_by_hand_is_not_packed(study):
    table = study.results / "tables" / "transfer.csv"
    table.write_text(table.read_text().replace("colors", "colours"))
    assert "tables/transfer.csv is not what provenance.json describes" in refused(study)


def test_a_study_of_another_configuration_is_not_packed(study):
    study.configure(statistics={"permutations": 100})
    assert "another configuration" in refused(study)


@pytest.mark.parametrize("name", ["tiny.zip", "nowhere/tiny.tar.gz"])
def test_an_archive_that_cannot_be_is_named(finished, name):
    done = pack(finished, name)
    assert done.returncode == 1 and name in done.stderr and done.stderr.count("\n") == 1
