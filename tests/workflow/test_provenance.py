"""A finished study says what it was made with, and packs into one archive that is the same whenever it is packed."""

import hashlib
import json
import os
import re
import subprocess
import tarfile
from importlib.metadata import version

import pytest

from browser import embedded
from promptatlas.runs import provenance
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
        return subprocess.run(["git", *identity, *words], cwd=tmp_path, text=True, capture_output=True, check=True).stdout.strip()

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
        page = archive.extractfile("tiny/report.html").read()
    assert names == sorted(names) and all(entry.mtime == entry.uid == 0 and not entry.uname for entry in entries)
    wanted = {"tables/transfer.parquet", "prompts/coop/seed1/shapes.safetensors", "config.json", "provenance.json", "report.html"}
    wanted |= {"atlas.json", "features.safetensors", "image_hashes.safetensors"}
    assert {f"tiny/{name}" for name in wanted} <= {*names} and f"{len(names)} files" in told.stdout
    assert packed == (study.results / "tables" / "transfer.csv").read_bytes()
    (study.folder / "packed.html").write_bytes(page)
    made, published = embedded(study.results / "report.html"), embedded(study.folder / "packed.html")
    assert set(made["images"]) == set(CONFIG["tasks"]) and published["images"] == {}
    assert not re.search(rb"data:image/(?!svg\+xml;charset)", page), "no image, but the drawings that the page itself makes"
    # the study was moved since its page was made: neither folder is published
    assert published["origin"]["folder"] == "." != made["origin"]["folder"] != str(study.folder)
    assert made["origin"]["folder"].encode() not in page and published["cells"] == made["cells"]
    assert not any(name.endswith(".npy") or "/backbone/" in name or "/tasks/" in name for name in names)


def test_a_study_with_holes_is_packed_without_them_and_without_the_folders_of_the_machine(study, monkeypatch):
    """What is missing is named; where a text names a folder of the machine, whatever kind of file it is in, the archive does not."""
    import pandas as pd

    from promptatlas.exchange import archive as packing
    from promptatlas.records.cells import write
    from promptatlas.study.study import Study

    monkeypatch.chdir(study.folder)
    here, home = str(study.folder), os.path.expanduser("~")
    configured = Study(CONFIG)
    cell = configured.all_cells[5]
    cell.unlink()
    reason = f"{here}/images/3.jpg cannot be read"
    write(configured.paths.failure(cell), {"result": str(cell.relative_to(configured.folder)), "job": "x", "reason": reason, "details": ""})
    for path in configured.paths.table("tasks"):
        table = (pd.read_parquet if path.suffix == ".parquet" else pd.read_csv)(path)
        table["failed"] = reason
        table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    configured.paths.report.write_text(f"<p>{here}/results &quot;{home}/data&quot;</p>{configured.paths.report.read_text()}")
    provenance.write(configured)
    done = pack(study)
    assert done.returncode == 0 and "1 result failed" in done.stdout and str(cell.relative_to(configured.folder)) in done.stdout
    with tarfile.open("tiny.tar.gz") as archive:
        content = {name.removeprefix("tiny/"): archive.extractfile(name).read() for name in archive.getnames()}
    assert [*content] == sorted(content) and packing.FAILED in content
    assert str(cell.relative_to(configured.folder)).encode() in content[packing.FAILED]
    for name, held in content.items():
        assert here.encode() not in held and home.encode() + b"/" not in held, name
    (study.folder / "unpacked.parquet").write_bytes(content["tables/tasks.parquet"])
    assert set(pd.read_parquet("unpacked.parquet")["failed"]) == {"./images/3.jpg cannot be read"}
    told = json.loads(content["provenance.json"])["results"]
    assert all(hashlib.sha256(content[name]).hexdigest() == digest for name, digest in told.items())
    assert content["prompts/coop/seed1/shapes.safetensors"] == configured.paths.prompt("coop", 1, "shapes").read_bytes()


def test_folders_of_the_machine_are_found_however_they_are_written(tmp_path, monkeypatch):
    import html

    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from safetensors.torch import load_file, save_file

    from promptatlas.exchange.private_folders import Private
    from promptatlas.study.study import Study

    place = tmp_path / "größer & 'besser'"
    (place / "pics").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    data = {"roses": {"folder": str(place / "pics" / "roses")}, "tulips": {"folder": "~/tulips"}}
    weights = {"model": "ViT-B-16", "pretrained": str(place / "vit.pt")}
    (place / "vit.pt").touch()
    study = Study({"benchmark": "own", "data": data, "methods": ["coop"], "backbone": weights, "results": str(place)})
    private, told = Private(study), f"{place}/pics/roses/a.jpg cannot be read; {place}/vit.pt; ~/x"
    clean = private.clean(told)
    assert clean == "roses/a.jpg cannot be read; vit.pt; ~/x"
    assert private.clean(f"{tmp_path}/other.txt") == "./other.txt" and private.clean("https://a.org/pics") == "https://a.org/pics"
    assert private.clean(f"{tmp_path}-not-mine/x") == f"{tmp_path}-not-mine/x"
    forms = {"a.csv": told, "a.json": json.dumps({"why": told}), "a.svg": html.escape(told), "a.html": html.escape(json.dumps(told))}
    cleaned = {"a.csv": clean, "a.json": json.dumps({"why": clean}), "a.svg": html.escape(clean), "a.html": html.escape(json.dumps(clean))}
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        assert private.content(tmp_path / name).decode() == cleaned[name], name
    pq.write_table(pa.table({"why": [told, None], "n": [1, 2]}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(private.content(tmp_path / "a.parquet"))
    assert pq.read_table(tmp_path / "b.parquet").to_pydict() == {"why": [clean, None], "n": [1, 2]}
    held = {"x": torch.arange(7.0), "y": torch.ones(2, 3)}
    save_file(held, tmp_path / "a.safetensors", {"card": json.dumps({"origin": told}), "method": "coop"})
    (tmp_path / "b.safetensors").write_bytes(private.content(tmp_path / "a.safetensors"))
    back = load_file(tmp_path / "b.safetensors")
    assert all(torch.equal(back[name], value) for name, value in held.items())
    assert (
        str(place).encode() not in (tmp_path / "b.safetensors").read_bytes() and b"roses/a.jpg" in (tmp_path / "b.safetensors").read_bytes()
    )
    for name in ("a.parquet", "a.safetensors"):
        assert private.content(tmp_path / name) == private.content(tmp_path / name)


def test_a_key_that_the_configuration_has_had_since_is_no_other_configuration(study, monkeypatch):
    from promptatlas.exchange import archive as packing
    from promptatlas.records.cells import write
    from promptatlas.study.study import Study

    monkeypatch.chdir(study.folder)
    configured = Study(CONFIG)
    then = json.loads(configured.paths.resolved_config.read_bytes())
    write(configured.paths.resolved_config, {key: value for key, value in then.items() if key != "broken_pictures"})
    packing.require_finished(configured)
    study.configure(broken_pictures="skip")
    assert "another configuration" in refused(study)


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
