"""Studies with the same weights have them once on disk, and none suffers by another's end."""

import json
import os
import shutil
from pathlib import Path

import pytest

from promptatlas.backbone import sharing
from promptatlas.backbone.exported import RECORD, WEIGHTS
from promptatlas.base.files import replace, sha256


def exported(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(content)
    (folder / RECORD).write_text(json.dumps({WEIGHTS: sha256(folder / WEIGHTS)}))
    return folder


@pytest.fixture
def three(tmp_path):
    return [exported(tmp_path / name / "backbone", content) for name, content in (("old", b"same"), ("other", b"else"), ("new", b"same"))]


def test_the_same_weights_are_one_file(three):
    old, other, new = three
    os.utime(old / WEIGHTS, (1e9, 1e9))
    assert sharing.share(new, [other, old]) == old
    assert (old / WEIGHTS).samefile(new / WEIGHTS) and not (other / WEIGHTS).samefile(new / WEIGHTS)
    assert (new / WEIGHTS).stat().st_mtime > 1e9, "Snakemake would make it again"
    assert sharing.share(new, [old]) is None, "they are one already"


def test_who_goes_or_changes_takes_nothing_from_the_others(three):
    old, _, new = three
    sharing.share(new, [old])
    replace(old / WEIGHTS, b"changed")
    assert (new / WEIGHTS).read_bytes() == b"same"
    shutil.rmtree(old)
    assert (new / WEIGHTS).read_bytes() == b"same" and [path.name for path in new.iterdir() if path.name.startswith(".")] == []


def test_what_a_record_says_is_not_believed(three):
    old, _, new = three
    (old / WEIGHTS).write_bytes(b"damaged")
    assert sharing.share(new, [old]) is None and (new / WEIGHTS).read_bytes() == b"same"


@pytest.mark.parametrize("about", [b"", b"[]", b"{}", b"\xff"])
def test_a_folder_without_a_sound_record_is_left_alone(three, about):
    old, _, new = three
    (old / RECORD).write_bytes(about)
    assert sharing.share(new, [old]) is None
    shutil.copy(new / RECORD, old / RECORD)
    (new / RECORD).write_bytes(about)
    assert sharing.share(new, [old]) is None


def test_a_disk_without_links_has_a_file_for_each(three, monkeypatch):
    old, _, new = three

    def refused(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refused)
    assert sharing.share(new, [old]) is None and (new / WEIGHTS).read_bytes() == b"same"
