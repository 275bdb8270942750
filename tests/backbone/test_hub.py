"""Models by their names on the Hugging Face hub, through a cache as its library keeps it; nothing here has a network."""

import hashlib
import json
import socket

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from safetensors.torch import save_file

from promptatlas.backbone import export, hub, kinds, load, preprocessing, published
from promptatlas.backbone.hub import Repository
from promptatlas.backbone.origin import origin
from promptatlas.base.errors import UserError
from promptatlas.study import configuration
from promptatlas.study.study import Study
from twins import TINY as WIDE

TINY = WIDE | {"text_cfg": WIDE["text_cfg"] | {"width": 16}}
FIRST, SECOND = "1" * 40, "2" * 40  # commits
SEEN = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bilinear", "resize_mode": "squash"}
DESCRIBED = {"open_clip_config.json": json.dumps({"model_cfg": TINY, "preprocess_cfg": SEEN}).encode()}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The hub's cache in a folder; nothing is downloaded."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "unreachable", lambda: "")
    return tmp_path / "hub"


def kept(cache, name: str, files: dict[str, bytes], commit=FIRST, main=True):
    """The files of a commit, whose contents are named by their hashes; returns the folder of the commit."""
    root = cache / f"models--{name.replace('/', '--')}"
    folder = root / "snapshots" / commit
    for part in (root / "blobs", root / "refs", folder):
        part.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        blob = root / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (folder / file).symlink_to(blob)
    if main:
        (root / "refs" / "main").write_text(commit)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """(state dict, file of it) of a tiny CLIP."""
    torch.manual_seed(3)
    weights, path = export.open_clip_model(TINY).state_dict(), tmp_path_factory.mktemp("tiny") / "weights.safetensors"
    save_file(weights, path)
    return weights, path.read_bytes()


def test_a_name_on_the_hub_is_the_model_that_its_cache_holds(cache, tiny, tmp_path):
    kept(cache, "me/tiny", DESCRIBED | {"open_clip_model.safetensors": tiny[1]})
    export.export("hf-hub:me/tiny", "", tmp_path / "out")
    found = load(tmp_path / "out")
    assert torch.equal(found.vision.proj, tiny[0]["visual.proj"]) and torch.equal(found.text.text_projection, tiny[0]["text_projection"])
    assert (found.architecture.mean, found.architecture.resize, found.architecture.interpolation) == ((0.5,) * 3, "squash", "bilinear")


def test_a_study_takes_from_the_cache_how_the_model_sees_images_and_what_it_is_called(cache):
    kept(cache, "me/tiny", DESCRIBED)
    said = {"study": "s", "backbone": {"model": "hf-hub:me/tiny", "pretrained": "any"}, "methods": ["coop", "vpt"]}
    config = configuration.complete(said)
    study = Study(config)
    assert (config["resize"], config["preset"], study.backbone.name, study.backbone.sources) == ("squash", "paper", "me/tiny", [])
    assert study.backbone.interpolation == "bilinear"


def test_weights_are_of_the_commit_of_their_description(cache, tiny):
    kept(cache, "me/tiny", DESCRIBED | {"open_clip_model.safetensors": tiny[1]})
    newer = kept(cache, "me/tiny", {"open_clip_config.json": json.dumps({"model_cfg": TINY}).encode()}, SECOND)
    assert export.fetch("hf-hub:me/tiny@" + FIRST, "").parent.name == FIRST
    with pytest.raises(UserError, match=r"of 'me/tiny' on the hub is not here and cannot be fetched"):
        export.fetch("hf-hub:me/tiny", "")
    (newer / "open_clip_model.safetensors").write_bytes(tiny[1])
    assert export.fetch("hf-hub:me/tiny", "").parent.name == SECOND


def test_a_file_on_the_hub_serves_as_weights_of_a_named_model(cache):
    """As the publishers of RemoteCLIP keep theirs: several models in one repository, without a description."""
    kept(cache, "me/remote", {"Remote-ViT-B-32.pt": b"weights"})
    found = origin("ViT-B-32", "hf-hub:me/remote/Remote-ViT-B-32.pt")
    assert found.description is None and found.files == []
    assert export.fetch("ViT-B-32", "hf-hub:me/remote/Remote-ViT-B-32.pt").read_bytes() == b"weights"
    with pytest.raises(UserError, match="names no file; write hf-hub:<owner>/<name>/<file>"):
        origin("ViT-B-32", "hf-hub:me/remote")


def test_a_text_tower_of_the_transformers_library_is_refused_before_its_weights_are_fetched(cache):
    """As BiomedCLIP has it."""
    text = {"hf_model_name": "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract", "context_length": 256}
    kept(cache, "me/biomed", {"open_clip_config.json": json.dumps({"model_cfg": TINY | {"text_cfg": text}}).encode()})
    with pytest.raises(
        UserError, match="its text tower is 'microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract' from the transformers library"
    ):
        export.fetch("hf-hub:me/biomed", "")


def test_without_a_network_one_sentence_says_what_to_do(cache):
    for look in (export.fetch, origin):
        with pytest.raises(UserError) as caught:
            look("hf-hub:me/tiny", "")
        told = str(caught.value)
        assert "hf download me/tiny" in told and str(cache / "models--me--tiny") in told and "local-dir:<folder>" in told
        assert "\n" not in told


def test_a_hub_that_cannot_be_reached_is_told_at_once(cache, monkeypatch):
    def nowhere(*_, **__):
        raise OSError("no route to host")

    monkeypatch.undo()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in hub._OTHER_WAYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "create_connection", nowhere)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)  # nobody asks it
    with pytest.raises(UserError, match=r"cannot be fetched \(huggingface.co cannot be reached from here \(no route to host\)\)"):
        kinds.bring("hf-hub:me/tiny")
    monkeypatch.setenv("https_proxy", "http://proxy")
    assert hub.unreachable() == ""


@pytest.mark.parametrize("name", ["tiny", "me/tiny/more", "me/tiny@", "../x/y", "me/ti ny", ""])
def test_what_is_no_name_on_the_hub_is_told(name):
    with pytest.raises(UserError, match="is no name on the hub; write hf-hub:<owner>/<name>"):
        Repository.of(name)


def test_damaged_weights_in_the_cache_are_found(cache, tiny):
    folder = kept(cache, "me/tiny", DESCRIBED | {"open_clip_model.safetensors": tiny[1]})
    (folder / "open_clip_model.safetensors").resolve().write_bytes(tiny[1][:-1])
    with pytest.raises(UserError, match="is not what its name, a SHA-256, says"):
        export.fetch("hf-hub:me/tiny", "")


def served(monkeypatch, cache, files: dict[str, bytes], broken: str = "") -> list[str]:
    """A hub with these files of one commit; returns what is asked of it. At the file `broken` the network is gone."""
    asked: list[str] = []

    def answer(repository, name, revision, **_):
        asked.append(name)
        assert revision == ("main" if name in DESCRIPTIONS else FIRST)  # all else is of the commit of the description
        if name == broken:
            raise LocalEntryNotFoundError("no network")
        if name not in files:
            raise EntryNotFoundError(f"404 {name}")
        return str(kept(cache, repository, {name: files[name]}) / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", answer)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return asked


DESCRIPTIONS = ("open_clip_config.json", "config.json", "preprocessor_config.json", "processor_config.json")
THEIRS = {"config.json": b'{"model_type": "clip"}', "preprocessor_config.json": b'{"image_mean": [0.5, 0.5, 0.5]}'}


def test_a_description_is_fetched_once_and_with_it_how_images_are_seen(cache, monkeypatch):
    asked = served(monkeypatch, cache, THEIRS)
    kinds.bring("hf-hub:me/street")
    assert asked == ["open_clip_config.json", "preprocessor_config.json", "config.json"]
    kinds.bring("hf-hub:me/street")
    assert len(asked) == 3
    assert kinds.described(origin("hf-hub:me/street", "").beside)["preprocess_cfg"] == {"mean": [0.5] * 3}
    export_weights = served(monkeypatch, cache, {"pytorch_model.bin": b"weights"})
    assert export.fetch("hf-hub:me/street", "").name == "pytorch_model.bin"
    assert {"vocab.json", "model.safetensors"} < {*export_weights}


def test_a_cache_that_somebody_brought_may_lack_what_the_repository_lacks(cache):
    kept(cache, "me/street", THEIRS | {"model.safetensors": b"weights"})
    assert export.fetch("hf-hub:me/street", "").read_bytes() == b"weights"


@pytest.mark.parametrize("broken", THEIRS)
def test_what_a_broken_connection_leaves_is_not_taken_for_all(cache, monkeypatch, broken):
    served(monkeypatch, cache, THEIRS, broken)
    with pytest.raises(UserError, match="cannot be fetched"):
        kinds.bring("hf-hub:me/street")
    with pytest.raises(UserError, match="is not here"):
        kinds.folder_with("hf-hub:me/street")


def test_a_repository_without_model_or_weights_is_told(cache, monkeypatch):
    served(monkeypatch, cache, {})
    with pytest.raises(UserError, match="it has neither"):
        kinds.bring("hf-hub:me/none")
    served(monkeypatch, cache, DESCRIBED)
    with pytest.raises(
        UserError, match=r"has no weights \(open_clip_model.safetensors, .*name their file as `pretrained: hf-hub:me/some/<file>`"
    ):
        export.fetch("hf-hub:me/some", "")


SEVERAL = r"of 'me/large' on the hub are in several files, which are not put together; save them as one .*save_pretrained"


def test_weights_in_several_files_are_told_whether_they_are_here_or_only_on_the_hub(cache, monkeypatch):
    files = {"model.safetensors.index.json": b"{}", **{f"model-0000{number}-of-00002.safetensors": b"" for number in (1, 2)}}
    kept(cache, "me/large", DESCRIBED | files)
    with pytest.raises(UserError, match=SEVERAL):
        export.fetch("hf-hub:me/large", "")
    kept(cache, "me/large", {"open_clip_model.safetensors": b"all of them"})
    assert export.fetch("hf-hub:me/large", "").read_bytes() == b"all of them"
    served(monkeypatch, cache, DESCRIBED | files)
    with pytest.raises(UserError, match=SEVERAL.replace("large", "some")):
        export.fetch("hf-hub:me/some", "")
    with pytest.raises(UserError, match=r"the weights of model-00001-of-00002\.safetensors are in several files"):
        origin("ViT-B-32", "hf-hub:me/some/model-00001-of-00002.safetensors")


# open_clip lists it with QuickGELU and bilinear scaling under the plain name of the model.
LISTED = "apple/DFN2B-CLIP-ViT-B-16"


@pytest.mark.parametrize("file", ["open_clip_pytorch_model.bin", "open_clip_model.safetensors"])
def test_a_file_of_a_repository_that_open_clip_lists_is_run_as_its_entry_says(cache, file):
    said = f"hf-hub:{LISTED}/{file}"
    (tag,) = (tag for tag, own in published.table()["ViT-B-16"].items() if own["hf_hub"] == LISTED + "/")
    source = origin("ViT-B-16", said)
    assert (source.tag, source.hub.names) == (tag, (file,)) and published.entry("ViT-B-16", tag)["quick_gelu"]
    assert preprocessing.chosen("ViT-B-16", said) == preprocessing.chosen("ViT-B-16", tag)
    config = kinds.config("ViT-B-16")
    listed = dict(published.entry("ViT-B-16", source.tag))
    quick, said_by = export._activation("ViT-B-16", config, source, export.Checkpoint({}, False), listed, {})
    assert quick and said_by == f"open_clip's entry for the weights {tag!r}"


def test_another_file_of_such_a_repository_or_of_another_model_is_not(cache):
    assert origin("ViT-B-16", f"hf-hub:{LISTED}/epoch_3.pt").tag is None
    assert origin("ViT-L-14", f"hf-hub:{LISTED}/open_clip_pytorch_model.bin").tag is None
    assert origin("ViTamin-S", "hf-hub:jienengchen/ViTamin-S/pytorch_model.bin").tag == "datacomp1b"


def test_a_file_of_a_repository_with_a_description_is_run_as_that_says(cache, tiny, monkeypatch, tmp_path):
    """Of the commit of the description; the tiny model stands for one that open_clip names."""
    monkeypatch.setattr(kinds, "names", lambda: ("tiny",))
    monkeypatch.setattr(kinds, "_descriptions", lambda: tmp_path)
    (tmp_path / "tiny.json").write_text(json.dumps(TINY))
    described = {"open_clip_config.json": json.dumps({"model_cfg": TINY | {"quick_gelu": True}, "preprocess_cfg": SEEN}).encode()}
    asked = served(monkeypatch, cache, described | {"open_clip_model.safetensors": tiny[1]})
    said = "hf-hub:me/tiny/open_clip_model.safetensors"
    study = Study(configuration.complete({"study": "s", "backbone": {"model": "tiny", "pretrained": said}, "methods": ["coop"]}))
    assert asked == ["open_clip_config.json"] and study.config["resize"] == "squash"
    assert study.backbone.name == "tiny/me/tiny/open_clip_model.safetensors"
    found = export.export("tiny", said, tmp_path / "out")
    assert (found.quick_gelu, found.quick_gelu_from, found.mean) == (True, "open_clip_config.json", (0.5,) * 3)
    other = described | {"open_clip_config.json": json.dumps({"model_cfg": TINY, "preprocess_cfg": SEEN | {"mean": [0.1] * 3}}).encode()}
    kept(cache, "me/tiny", other, SECOND, main=False)
    assert export.fetch("tiny", said).parent.name == FIRST


def test_how_images_are_seen_is_fetched_where_a_cache_lacks_it(cache, monkeypatch):
    """Of the commit of the description, however the repository has moved on; once, if the repository has none."""
    folder = kept(cache, "me/street", {name: THEIRS[name] for name in ("config.json",)})
    kinds.bring("hf-hub:me/street")  # no network: as it was
    assert [path.name for path in folder.iterdir()] == ["config.json"]
    served(monkeypatch, cache, THEIRS)
    monkeypatch.setattr(hub, "unreachable", lambda: "no route")
    kinds.bring("hf-hub:me/street")
    assert [path.name for path in folder.iterdir()] == ["config.json"]
    monkeypatch.setattr(hub, "unreachable", lambda: "")
    revisions = []
    monkeypatch.setattr(
        Repository, "brought", lambda self, names, real=Repository.brought: revisions.append(self.revision) or real(self, names)
    )
    with monkeypatch.context() as patch:
        answer = huggingface_hub.hf_hub_download
        patch.setattr(huggingface_hub, "hf_hub_download", lambda repository, name, revision, **own: answer(repository, name, "main", **own))
        kinds.bring("hf-hub:me/street")
    assert revisions == [FIRST] and kinds.described(folder / "config.json")["preprocess_cfg"] == {"mean": [0.5] * 3}


def test_what_a_repository_is_known_not_to_have_is_not_asked_for(cache, monkeypatch):
    kept(cache, "me/street", {"config.json": THEIRS["config.json"]})
    lacking = cache / "models--me--street" / ".no_exist" / FIRST
    lacking.mkdir(parents=True)
    for name in ("preprocessor_config.json", "processor_config.json"):
        (lacking / name).touch()  # as the hub's library notes it
    asked = served(monkeypatch, cache, THEIRS)
    kinds.bring("hf-hub:me/street")
    assert asked == []


def test_the_words_of_a_model_are_fetched_where_a_cache_has_its_weights_alone(cache, monkeypatch):
    kept(cache, "me/street", THEIRS | {"model.safetensors": b"weights"})
    asked = served(monkeypatch, cache, {"vocab.json": b"{}"})
    assert export.fetch("hf-hub:me/street", "").read_bytes() == b"weights"
    assert asked == ["vocab.json", "tokenizer.json", "tokenizer_config.json"]


@pytest.mark.parametrize(
    ("model", "weights"),
    [("ViT-B-32", "laion2b_s34b_b79k"), ("hf-hub:me/none", ""), ("ViT-B-32", "hf-hub:me/none/a.pt"), ("ViT-B-32", "openai")],
)
def test_nothing_is_asked_of_a_network_where_nothing_may_be_downloaded(cache, monkeypatch, tmp_path, model, weights):
    """Though the hub's library was imported long before."""
    asked = []

    def look(*given, **_):
        asked.append(given)
        raise OSError("a network was asked")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, look)
    with pytest.raises(UserError, match="cannot be fetched"):
        export.fetch(model, weights, download=False)
    assert asked == [] and constants.HF_HUB_OFFLINE is False


def test_an_address_is_not_asked_either(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(export, "download_pretrained", lambda _: pytest.fail("asked"))
    with hub.network(False), pytest.raises(UserError, match="nothing may be downloaded"):
        export._download("ViT-X", "some", {"url": "https://somewhere.org/models/x.pt"})
