"""Archives of prompts, as anybody could send them: whole or one sentence, and nothing written but numbered files in one folder."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile

import numpy as np
import pytest
from fuzzing import NASTY, cases, damaged, mutated, outcome
from hypothesis import given, strategies as st
from safetensors.torch import save
from well_formed import prompt, text

from promptatlas.base.errors import UserError
from promptatlas.exchange import summaries
from promptatlas.recommendation import candidates, frozen, record
from promptatlas.recommendation.candidates import Place

TENSORS, ABOUT = prompt()
ABOUT["card"] = ABOUT["card"].replace('"mini"', '"tiny"')  # the embedded model would be written and read in every case
PROMPT = save(TENSORS, ABOUT)
ATLAS = {
    "version": 1, "study": "mini", "promptatlas": "0.1.0",
    "backbone": {"name": "ViT-B-16/openai", "model": "ViT-B-16", "pretrained": "openai", "sha256": "a" * 64},
    "prompts": {f"prompts/coop/seed1/{name}.safetensors": hashlib.sha256(PROMPT).hexdigest() for name in ("a", "b")},
}  # fmt: skip
FEATURES = summaries.packed({"a": summaries.Summary(("cat", "dog"), 9, np.ones(4), np.eye(4), np.ones((2, 4)))})
ATLAS["features"] = {summaries.NAME: hashlib.sha256(FEATURES).hexdigest()}
CHOICE = b"method,shots,candidates,rule,or_none,n_tasks,margin,gain,gain_low,gain_high,oracle_share,harmed,used\n" + (
    b"coop,16,all_seeds,try,True,20,1.25,5.1,2.0,8.0,0.8,0.02,0.4\n"
)


def tarred(atlas: bytes = text(ATLAS), file: bytes = PROMPT, names=tuple(ATLAS["prompts"]), features: bytes = FEATURES) -> bytes:
    held = io.BytesIO()
    records = (("atlas.json", atlas), (summaries.NAME, features), ("tables/choice.csv", CHOICE))
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (*records, *((name, file) for name in names)):
            entry = tarfile.TarInfo(f"mini/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return held.getvalue()


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def asked(folder, content: bytes):
    """What `recommend` asks of an archive before it looks for a model: its prompts, how well it chose, and where its model is."""
    path, scratch = folder / "mini.tar.gz", folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    path.write_bytes(content)

    def read():
        found = candidates.collect([path], scratch)
        candidates.with_unique_names(found.files)
        record.of(found.places, {file.method for file in found.files}, 16)
        assert all(candidates.settings_of(file) is not None and file.tasks is not None for file in found.files)
        with pytest.raises(UserError) as absent:
            frozen.find(found, None, scratch / "model", "cpu")
        assert "\n" not in str(absent.value)
        return len(found.files)

    found = outcome(folder, read)
    assert not isinstance(found, str) or "mini" in found, found
    written = [one.name for one in scratch.rglob("*") if one.is_file()]
    assert all(name.removesuffix(".safetensors").isdigit() for name in written)
    return found


def test_the_archive_that_is_damaged_here_is_sound(folder):
    assert asked(folder, gzip.compress(tarred())) == 2


@cases(40)
@given(st.data())
def test_damaged_archives(tmp_path_factory, data):
    asked(tmp_path_factory.getbasetemp(), data.draw(damaged(gzip.compress(tarred(), mtime=0))))


@cases(100)
@given(st.data())
def test_damage_within_an_archive(tmp_path_factory, data):
    asked(tmp_path_factory.getbasetemp(), gzip.compress(data.draw(damaged(tarred())), 1))


@cases(60)
@given(st.data())
def test_records_of_an_atlas(tmp_path_factory, data):
    content = data.draw(st.one_of(mutated(ATLAS).map(text), damaged(text(ATLAS))))
    asked(tmp_path_factory.getbasetemp(), gzip.compress(tarred(content), 1))


@cases(60)
@given(st.data())
def test_cards_of_prompts_in_an_archive(tmp_path_factory, data):
    key = data.draw(st.sampled_from(sorted(ABOUT)))
    changed = data.draw(st.one_of(st.sampled_from(NASTY), mutated(json.loads(ABOUT["card"])).map(json.dumps)))
    file = save(TENSORS, {name: value.encode("utf-8", "replace").decode() for name, value in (ABOUT | {key: changed}).items()})
    asked(tmp_path_factory.getbasetemp(), gzip.compress(tarred(text(ATLAS | {"prompts": _hashes(file)}), file), 1))


@cases(40)
@given(st.sampled_from(NASTY))
def test_names_in_an_archive(tmp_path_factory, name):
    names = (f"prompts/coop/{name}.safetensors".encode("utf-8", "replace").decode().replace("\0", "0"),)
    asked(tmp_path_factory.getbasetemp(), gzip.compress(tarred(names=names), 1))


@cases(60)
@given(damaged(FEATURES))
def test_summaries_of_features_in_an_archive(tmp_path_factory, content):
    record = ATLAS | {"features": {summaries.NAME: hashlib.sha256(content).hexdigest()}}
    asked(tmp_path_factory.getbasetemp(), gzip.compress(tarred(text(record), features=content), 1))


@cases(60)
@given(damaged(CHOICE))
def test_how_well_a_rule_chose(content):
    found = record.of([Place("mini", None, True, None, {record.TABLE: content})], {"coop"}, 16)
    assert found.margin >= 0 or found.lines


def _hashes(file: bytes) -> dict[str, str]:
    return dict.fromkeys(ATLAS["prompts"], hashlib.sha256(file).hexdigest())
