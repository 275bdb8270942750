"""Images without labels: every clue is that of the features and answers themselves, no gain is claimed that no label shows, and what a
study kept book of decides in what order prompts are thought of.
"""

import io
import json
import tarfile

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

import prompt_studies
import promptatlas
from own_images import SHADES, folder_of_images
from promptatlas.analysis.choice.book import book
from promptatlas.backbone.encode import encode_images
from promptatlas.base.errors import UserError
from promptatlas.cli import command
from promptatlas.evaluation import similarity
from promptatlas.evaluation.estimates import Observed, estimate
from promptatlas.exchange import atlas, summaries
from promptatlas.recommendation import clues, loose, record, static_list, unlabelled, without_labels
from promptatlas.recommendation.candidates import Place
from promptatlas.study.paths import Paths
from promptatlas.tasks import catalogue, prepared
from promptatlas.tasks.decoding import fitted
from promptatlas.tasks.prepared import Pool
from synthetic_evidence import study as made_up
from twins import TINY, twin

NAMES = ("black", "grey", "white")
SOURCES = {"animals": (40, 120), "land": (100, 240)}  # tasks of the study and the shades of their images


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study with twelve prompts, the features of both its tasks and its backbone."""
    folder = tmp_path_factory.mktemp("results") / "mine"
    backbone = twin(TINY | {"quick_gelu": False}, folder / "backbone")[1]
    prompt_studies.write(folder, backbone)
    paths, rng = Paths.at(folder), np.random.default_rng(0)
    paths.encoded("x").parent.mkdir()
    size = backbone.architecture.image_size
    for name, shades in SOURCES.items():
        about = catalogue.own(name, {"folder": name}).with_classes(prompt_studies.NAMES).task
        images = np.stack([rng.normal(shade, 20, (size, size, 3)).clip(0, 255).astype(np.uint8) for shade in shades for _ in range(8)])
        pool, none = Pool.whole(images, np.repeat([0, 1], 8)), Pool.whole(images[:0], np.zeros(0, int))
        prepared.write(paths.task_folder(name), about, {"train": pool, "validation": none, "test": none}, [{"split": "train"}])
        with torch.no_grad():
            classes = backbone.class_features(about.class_names, about.templates).numpy()
            save_file({"features_train": encode_images(backbone, images), "class_features": classes}, paths.encoded(name))
    return folder, backbone


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve images in one folder, nothing of whose names tells their classes."""
    own = tmp_path_factory.mktemp("images")
    folder_of_images(own / "labelled", count=4)
    (own / "loose").mkdir()
    for number, path in enumerate(sorted((own / "labelled").rglob("*.jpg"))):
        path.rename(own / "loose" / f"{number}.jpg")
    return own / "loose"


@pytest.fixture(scope="module")
def answer(study, images):
    return promptatlas.recommend_unlabelled(images, study[0], classes=NAMES)


def test_clues_of_answers_are_those_of_each_prompt_as_it_is_loaded(answer, study, images):
    paths = sorted(images.iterdir(), key=lambda path: int(path.stem))
    for number, file in enumerate(answer.clues.files):
        logits = promptatlas.load_prompt(file.path).classifier(NAMES, study[1], resize="crop")(paths).logits
        for name in ("est_confidence", "est_entropy", "est_information", "est_nuclear"):
            expected = estimate(Observed(logits), [name])[name].value
            assert answer.clues.values[name][number] == pytest.approx(expected, abs=1e-5)


def test_closeness_is_that_of_the_features_themselves(answer, study, images):
    read = np.stack([fitted(Image.open(path), study[1].architecture.image_size, "crop") for path in images.iterdir()])
    with torch.no_grad():
        classes = study[1].class_features(NAMES, ("a photo of a {}.",)).numpy()
        own = summaries.summary(NAMES, encode_images(study[1], read), classes)
    told = summaries.of_tasks(Paths.at(study[0]), SOURCES)
    gathered = {
        name: (None, {"features_train": np.zeros((1, 1)), "class_features": one.classes}) for name, one in (told | {"target": own}).items()
    }
    covers = similarity.compute(gathered, ["lab_cover"]).set_index(["source", "target"])["value"]
    for number, file in enumerate(answer.clues.files):
        source = told[file.source]
        distance = similarity.visual.frechet(source.mean, source.covariance, own.mean, own.covariance)
        assert answer.clues.values["vis_frechet"][number] == pytest.approx(-distance, abs=1e-6)
        assert answer.clues.values["lab_cover"][number] == pytest.approx(covers[file.source, "target"], abs=1e-6)


def test_prompts_of_several_or_unknown_tasks_have_no_closeness(study, answer):
    told = summaries.of_tasks(Paths.at(study[0]), ["animals"])
    found = clues.closeness(told, told["animals"], answer.clues.files)
    assert [bool(np.isfinite(value)) for value in found["vis_frechet"]] == [file.source == "animals" for file in answer.clues.files]


def test_nothing_is_claimed_without_a_book(answer):
    assert answer.verdict == "keep" and answer.chosen is None and answer.kept is None and answer.clue == "est_information"
    first = answer.lines[0]
    assert first.startswith("keep the zero-shot prompt until some images are labelled") and "no study here kept book" in first
    assert "nothing shows without labels" in first and not any("points" in line for line in answer.lines)
    values = answer.clues.values["est_information"][answer.ranked]
    assert (np.diff(values) <= 0).all() and answer.leading is answer.clues.files[answer.ranked[0]]


def kept(rule, **changes):
    row = {"method": "coop+upt+vpt", "shots": 4, "candidates": "all_seeds", "rule": rule, "or_none": False, "n_tasks": 20, "margin": None,
           "regret_1": 5.0, "gain": 2.0, "gain_low": -3.0, "gain_high": 7.0, "oracle_share": 0.3, "harmed": 0.3, "used": 1.0}  # fmt: skip
    return row | changes


BOOK = [
    kept("measure:est_nuclear"), kept("measure:vis_frechet", regret_1=4.0), kept("static_list", regret_1=9.0),
    kept("measure:est_likelihood", regret_1=1.0), kept("measure:lab_cover", regret_1=0.5, shots=400), kept("measure:lab_cover", regret_1=6),
    *(kept("try", or_none=True, shots=shots, margin=1, gain=gain) for shots, gain in ((4, 6.5), (1, 0.5))),
]  # fmt: skip


def place(rows, name="mini"):
    return Place(name, name, True, None, {record.TABLE: pd.DataFrame(rows).to_csv(index=False).encode()})


def test_the_clue_with_the_smallest_regret_in_the_book_decides_and_its_distance_from_labels_is_told():
    found = without_labels.of([place(BOOK)], {"coop", "vpt", "upt"}, 4, ["est_nuclear", "vis_frechet", "static_list", "lab_cover"])
    assert found.clue == "vis_frechet" and found.rules == 4 and not found.sure
    lines = without_labels.lines(found, "visual similarity")
    for told in (
        "20 tasks of mini", "CoOp, UPT, VPT", "visual similarity, the best of 4 such rules there,",
        "gained +2.0 points over the zero-shot prompt (-3.0 to +7.0, 95 %)", "30 % of cases",
        "with up to 1, 4 labelled images per class the choice gained +0.5, +6.5", "4.5 points worse than with 4",
    ):  # fmt: skip
        assert sum(told in line for line in lines) == 1
    assert max(map(len, lines)) <= 140


@pytest.mark.parametrize(
    ("gain", "told"), [(3.7, "1.2 points better than with 16"), (1.3, "1.2 points worse than with 16"), (2.52, "as good as with 16")]
)
def test_choosing_without_labels_is_better_or_worse_than_with_or_as_good(gain, told):
    book = [kept("static_list", gain=gain), kept("try", or_none=True, shots=16, margin=1, gain=2.5)]
    found = without_labels.of([place(book)], {"coop", "vpt", "upt"}, 4, ["static_list"])
    assert without_labels.lines(found, "the mean score")[-1].endswith(f"the choice gained +2.5: without labels it is {told}")


def test_a_prompt_is_used_only_where_its_rule_gained_for_sure_elsewhere(study, images, tmp_path):
    told = {}
    for low in (-0.1, 0.1):
        source = tmp_path / f"{low}"
        (source / "tables").mkdir(parents=True)
        (source / "prompts").symlink_to(study[0] / "prompts")
        (source / "tables/choice.csv").write_bytes(
            pd.DataFrame([kept("measure:est_information", gain_low=low)]).to_csv(index=False).encode()
        )
        told[low] = promptatlas.recommend_unlabelled(
            images, source, classes=NAMES, backbone=study[0] / "backbone", output=tmp_path / "out" / str(low)
        )
    assert told[-0.1].verdict == "keep" and told[-0.1].prompt is None and "gained nothing sure" in told[-0.1].lines[0]
    assert told[0.1].verdict == "use" and told[0.1].chosen is told[0.1].leading and "nothing shows without labels" in told[0.1].lines[0]
    prompt = promptatlas.load_prompt(told[0.1].prompt)
    assert prompt.card["class_names"] == list(NAMES) and "import promptatlas" in told[0.1].lines
    assert any("has no features of its tasks" in line for line in told[0.1].lines)


def test_rules_of_a_book_that_a_study_writes_are_found():
    written = book(made_up())
    made = Place("made up", "x", True, None, {record.TABLE: written.to_csv(index=False).encode()})
    found = without_labels.of([made], {"coop"}, 15, ["static_list"])
    row = written[(written["rule"] == "static_list") & (written["candidates"] == "all_seeds")].iloc[0]
    assert found.clue == "static_list" and float(found.rows[0]["gain"]) == pytest.approx(row["gain"]) and found.labelled["coop"]


def test_the_static_list_is_that_of_the_book():
    """The mean standardised score on the tasks that the prompt was not trained on."""
    scores = {("a", "b"): 0.1, ("a", "c"): 0.5, ("b", "a"): 0.2, ("b", "c"): 0.7, ("c", "a"): 0.4, ("c", "b"): 0.3, ("a", "a"): 1.0}
    rows = [{"protocol": "frozen", "method": "coop", "source": source, "target": target, "seed": 1, "score": score}
            for (source, target), score in scores.items()]  # fmt: skip
    rows += [rows[0] | {"protocol": "init", "score": 0.9}, rows[0] | {"source": "scratch"}, rows[0] | {"score": None, "target": "d"}]
    text = pd.DataFrame(rows).to_csv(index=False) + "frozen,coop,a\n"
    files = [_file(source) for source in ("a", "b", "c", "d")]
    found = static_list.values(Place("x", "x", True, None, {static_list.TABLE: text.encode()}), files)
    # two candidates for each target: one is a standard deviation above their mean, the other one below
    assert found[:3] == pytest.approx([-1, 0, 1]) and np.isnan(found[3])
    for broken in (b"", b"\xff\xfe", b'"' * 200_000, b"a,b\n1"):
        assert np.isnan(static_list.values(Place("x", "x", True, None, {static_list.TABLE: broken}), files)).all()


def _file(source):
    from promptatlas.recommendation.candidates import CandidateFile

    return CandidateFile(None, "x", source, "coop", source, 1, {"task": source, "learned_with": None}, None)


# Where the images and names come from


def test_an_atlas_gives_what_its_study_gives(answer, study, images, tmp_path):
    folder = study[0]
    features = summaries.packed(summaries.of_tasks(Paths.at(folder), SOURCES))
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in (folder / "prompts").rglob("*.safetensors")}
    path = _packed(tmp_path / "mine.tar.gz", files | {summaries.NAME: features})
    found = promptatlas.recommend_unlabelled(images, path, classes=NAMES, backbone=folder / "backbone")
    assert {*found.clues.values} == {*answer.clues.values} >= {"vis_frechet", "lab_cover", "est_nuclear"}
    order = [file.called for file in answer.clues.files]
    assert order == [file.called for file in found.clues.files]
    for name, values in answer.clues.values.items():
        assert found.clues.values[name] == pytest.approx(values, abs=1e-5)


def test_features_of_an_atlas_are_those_that_its_record_lists(study, images, tmp_path):
    features = summaries.packed(summaries.of_tasks(Paths.at(study[0]), SOURCES))
    prompt = (study[0] / "prompts/coop/seed1/land.safetensors").read_bytes()
    told = {"version": 1, "backbone": {}, "prompts": {"prompts/a.safetensors": _sha(prompt)}}
    for listed, there in (({summaries.NAME: _sha(features)}, True), ({summaries.NAME: "0"}, False), (None, False), ([], False)):
        record = json.dumps(told | {"features": listed}).encode()
        path = _packed(tmp_path / "a.tar.gz", {atlas.NAME: record, "prompts/a.safetensors": prompt, summaries.NAME: features})
        found = promptatlas.recommend_unlabelled(images, path, classes=NAMES, backbone=study[0] / "backbone")
        assert ("vis_frechet" in found.clues.values) == there
        assert any("features.safetensors" in line for line in found.lines) != there


def _sha(content):
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _packed(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"mine/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_features_of_another_model_are_not_compared(study, images, tmp_path):
    one = summaries.Summary(("a", "b"), 3, np.zeros(5), np.eye(5), np.zeros((2, 5)))
    prompt = (study[0] / "prompts/coop/seed1/land.safetensors").read_bytes()
    path = _packed(tmp_path / "a.tar.gz", {"prompts/a.safetensors": prompt, summaries.NAME: summaries.packed({"land": one})})
    found = promptatlas.recommend_unlabelled(images, path, classes=NAMES, backbone=study[0] / "backbone")
    assert "vis_frechet" not in found.clues.values and "est_nuclear" in found.clues.values


def test_a_folder_is_without_labels_where_images_lie_in_it_and_no_folder_of_them(images, tmp_path):
    assert loose.is_loose(images) and not loose.is_loose(images / "0.jpg") and not loose.is_loose(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "0.jpg").write_bytes((images / "0.jpg").read_bytes())
    assert loose.is_loose(tmp_path)
    (tmp_path / "notes" / "1.jpg").write_bytes((images / "0.jpg").read_bytes())
    assert not loose.is_loose(tmp_path)


def test_the_command_sees_that_there_are_no_labels(study, images, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("black\ngrey\nwhite wall = wall\n")
    common = ["--from", str(study[0]), "--device", "cpu"]
    with pytest.raises(SystemExit) as end:
        command.main(["recommend", str(images), *common, "--classes", str(tmp_path / "names.txt"), "-o", str(tmp_path / "out")])
    told = json.loads((tmp_path / "out/recommendation.json").read_text())
    assert end.value.code == 0 and told["target"]["classes"] == ["black", "grey", "white wall"] and told["target"]["images"] == 12
    assert told["verdict"] == "keep" and told["by"] in (tmp_path / "out/candidates.csv").read_text().splitlines()[0]
    assert "without labels of 3 classes" in capsys.readouterr().out
    for more, words in ((["--tune", "1", "--classes", str(tmp_path / "names.txt")], "--tune needs labelled images"), ([], "--classes")):
        with pytest.raises(SystemExit):
            command.main(["recommend", str(images), *common, *more])
        assert words in capsys.readouterr().err


def test_folders_that_are_no_classes_are_images_without_labels_when_it_is_said(study, tmp_path, capsys):
    folder_of_images(tmp_path / "own", classes={"2023": 10, "2024": 200}, count=3)
    (tmp_path / "names.txt").write_text("black\nwhite\n")
    with pytest.raises(SystemExit):
        command.main(["recommend", str(tmp_path / "own"), "--from", str(study[0]), "--no-labels", "--classes", str(tmp_path / "names.txt"),
                      "--shots", "2"])  # fmt: skip
    assert "ordered on 4 images without labels of 2 classes ('black', 'white'), drawn of 6" in capsys.readouterr().out


def test_a_known_task_names_the_classes(study, images):
    found = promptatlas.recommend_unlabelled(images, study[0], task="colors", shots=1)
    assert found.target.task.name == "colors" and len(found.target.task.class_names) == len(catalogue.task("colors").class_names)


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, "have no labels; name the classes"), ({"classes": ["one"]}, "at least 2"), ({"classes": ["a", "a"]}, "two"),
     ({"classes": NAMES, "shots": 0}, "--shots"), ({"task": "colours"}, "have no labels")],
)  # fmt: skip
def test_what_is_missing_is_one_sentence(given, words, study, images):
    with pytest.raises(UserError, match=words):
        promptatlas.recommend_unlabelled(images, study[0], **given)


def test_images_that_cannot_be_read_are_named(study, images, tmp_path):
    (tmp_path / "0.jpg").write_bytes((images / "0.jpg").read_bytes())
    (tmp_path / "1.jpg").write_text("no image")
    found = unlabelled.recommend_unlabelled(tmp_path, study[0], classes=NAMES)
    assert len(found.target.images) == 1 and any("1 image cannot be read" in line for line in found.lines)
    (tmp_path / "0.jpg").write_text("")
    with pytest.raises(UserError, match="none of the images"):
        unlabelled.recommend_unlabelled(tmp_path, study[0], classes=NAMES)
    assert {*SHADES} == {*NAMES}
