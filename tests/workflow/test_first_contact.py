"""What goes wrong in the first minutes ends in one sentence that says what to do, before any job."""

import json
import os
import re
import zipfile
from pathlib import Path

import pytest
import yaml

from promptatlas import cli
from promptatlas.base.errors import UserError
from promptatlas.records.cells import write
from promptatlas.runs import data_folders, prerequisites, session
from promptatlas.study import configuration
from promptatlas.study.study import Study
from promptatlas.tasks import catalogue
from tiny_study import CONFIG, ROOT


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder in which commands are typed."""
    folder = tmp_path / "a study of ours, größer"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def images(folder: Path, *classes: str) -> Path:
    """Class folders; nobody looks into them before a run."""
    for name in classes or ("cat", "dog"):
        (folder / name).mkdir(parents=True)
    return folder


def own(**folders: str) -> dict:
    return {"study": "ours", "benchmark": "own", "data": {task: {"folder": folder} for task, folder in folders.items()}}


def put(path: Path, config: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config))
    return path


def sentence(call) -> str:
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and "Traceback" not in text
    return text


def typed(capsys, *arguments: str) -> tuple[int, str, str]:
    """What `promptatlas` with these arguments ends with and prints."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    printed = capsys.readouterr()
    return ended.value.code or 0, printed.out, printed.err


# Names


@pytest.mark.parametrize("name", ["shapes", "colors", "digits_handwritten"])
def test_a_task_of_ones_own_named_like_an_embedded_one_is_refused(name):
    told = sentence(lambda: Study(own(**{name: "a", "b": "c"})))
    assert f"the task '{name}' is drawn by promptatlas" in told and f"`my-{name}`" in told
    assert f"'{name}' is drawn" in sentence(lambda: Study({"data": {name: {"templates": ["a {}."]}}}))


def test_a_folder_under_the_name_of_a_published_task_is_that_task_and_a_line_says_so(here, capsys):
    images(here / "a"), images(here / "b")
    study = session.plan(own(mnist="a", roses="b"))
    assert study.tasks == ("mnist", "roses") and study.data.entry("mnist").task.title == "MNIST"
    session.announce(study)
    assert "`mnist` is the published task 'MNIST'" in capsys.readouterr().err
    assert not data_folders.remarks(Study(CONFIG)) and not data_folders.remarks(
        Study({"tasks": ["mnist", "shapes"], "data": {"mnist": {"source": "huggingface"}}})
    )


def test_what_only_a_task_of_ones_own_may_say_names_the_clash():
    told = sentence(lambda: catalogue.described("mnist", {"folder": "a", "title": "Ours"}))
    assert "unknown key `title`" in told and "`my-mnist`" in told and "docs/data.md" in told


# Folders


def broken(here: Path) -> dict[str, str]:
    """By what is wrong with it, a folder."""
    images(here / "roses")
    (here / "file").write_text("")
    with zipfile.ZipFile(here / "all.zip", "w") as packed:
        packed.writestr("cat/1.jpg", "")
    (here / "nothing").mkdir()
    (here / "loose").mkdir()
    (here / "loose" / "1.JPG").touch()
    images(here / "deep" / "images")
    images(here / "half" / "train")
    images(here / "shallow" / "train"), (here / "shallow" / "test").mkdir()
    return {
        "misspelt": "rosse", "file": "file", "zip": "all.zip", "nothing": "nothing", "loose": "loose", "deep": "deep",
        "half": "half", "list": "roses.json",
    }  # fmt: skip


WORDS = {
    "misspelt": ("does not exist", "did you mean 'roses'?"),
    "file": ("is a file and no folder", "name the folder"),
    "zip": ("is a file and no folder", "unpack it"),
    "nothing": ("is empty", "one folder of images per class"),
    "loose": ("images that belong to no class", "one folder per class"),
    "deep": ("one folder only, 'images'", "deep/images"),
    "half": ("train folder but no test folder", "`splits`"),
    "list": ("the list", "does not exist"),
}


def test_every_wrong_folder_is_one_sentence_with_its_remedy(here, capsys):
    study = session.plan(own(**broken(here), sound="roses"))
    with pytest.raises(SystemExit) as ended:
        session.require_data(study)
    lines = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1 and len(lines) == len(WORDS)
    for line, (task, words) in zip(lines, WORDS.items(), strict=True):
        assert line.startswith(f"promptatlas: task `{task}`: ") and all(word in line for word in words), line


def test_wrong_folders_are_told_by_plan_and_status(here, capsys):
    put(here / "ours.yaml", own(**broken(here), sound="roses"))
    for command, codes in (("plan", {1}), ("status", {5})):
        code, _, told = typed(capsys, command, "--configfile", "ours.yaml")
        assert code in codes and sum(line.startswith("promptatlas: task `") for line in told.splitlines()) == len(WORDS), command


def test_a_named_split_that_is_not_there_is_told(here):
    images(here / "roses" / "learn"), images(here / "roses" / "check")
    config = own(roses="roses", tulips="roses")
    config["data"]["roses"] |= {"splits": {"train": "learn", "test": "chek"}}
    config["data"]["tulips"] |= {"splits": {"train": "learn", "test": "check"}}
    (told,) = map(str, data_folders.wrong(Study(config)))
    assert "roses/chek does not exist" in told and "did you mean 'check'?" in told


def test_a_folder_that_may_not_be_read_is_told(here, monkeypatch):
    images(here / "roses"), images(here / "tulips")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("promptatlas.tasks.readers.files.os.scandir", refuse)
    assert all("cannot be listed (Permission denied)" in str(one) for one in data_folders.wrong(Study(own(a="roses", b="tulips"))))


def test_data_that_are_gone_after_they_were_prepared_stop_nothing(here):
    images(here / "roses"), images(here / "tulips")
    study = Study(own(a="roses", b="tulips"))
    from promptatlas.runs import fetch

    fetch.fetch(study, lambda line: None)
    study = Study(own(a="roses", b="tulips"))
    write(study.paths.task_records(["a"])[0], {"task": {}})
    (here / "roses" / "cat").rmdir(), (here / "roses" / "dog").rmdir(), (here / "roses").rmdir()
    assert not data_folders.wrong(study) and "prepared earlier are used" in data_folders.remarks(study)[0]
    (told,) = data_folders.wrong(Study(own(a="rosse", b="tulips")))
    assert "rosse does not exist" in str(told)


# Where folders count from


def test_relative_folders_count_from_the_file_that_names_them(here):
    images(here / "work" / "roses"), images(here / "roses"), images(here / "mine")
    usual = put(here / "config.yaml", {"data": {"tulips": {"folder": "roses"}}, "benchmark": "own"})
    above = put(here / "work" / "ours.yaml", {"data": {"roses": {"folder": "roses"}}})
    given = configuration.load(usual)
    given["data"] |= configuration.load(above)["data"] | {"mine": {"folder": "mine"}}  # as with --config
    study = session.plan(given, [usual, above])
    assert {task: about["folder"] for task, about in study.config["data"].items()} == {
        "tulips": "roses", "roses": "work/roses", "mine": "mine",
    }  # fmt: skip
    assert given["data"]["roses"]["folder"] == "work/roses", "jobs do not get what was found out"
    assert study.data.entry("roses").sources[0]["path"] == str(here / "work" / "roses")


def test_where_a_study_lies_changes_nothing_in_it(here, tmp_path, monkeypatch):
    """The folder is what the working directory sees of it: the same in a copy of both."""
    written = []
    for place in ("one", "other"):
        work = tmp_path / place
        images(work / "pics" / "roses"), images(work / "pics" / "tulips")
        path = put(work / "pics" / "ours.yaml", own(roses="roses", tulips="tulips"))
        (work / "run").mkdir()
        monkeypatch.chdir(work / "run")
        written.append(session.plan(configuration.load(path), [path]).description)
    assert written[0] == written[1] and written[0]["data"]["roses"]["folder"] == "../pics/roses"


def test_a_folder_that_only_the_working_directory_has_is_told_with_what_to_write(here, capsys):
    images(here / "roses"), images(here / "tulips")
    path = put(here / "studies" / "ours.yaml", own(a="roses", b="tulips"))
    with pytest.raises(SystemExit):
        session.plan(configuration.load(path), [path])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "task `a`" in lines[0] and "write `../roses`" in lines[0] and str(here / "roses") in lines[0]
    code, _, told = typed(capsys, "status", "--configfile", str(path))
    assert code == 1 and told.count("folders count from the file that names them") == 2


def test_a_file_in_the_working_directory_leaves_folders_as_they_are_written(here):
    images(here / "roses")
    path = put(here / "ours.yaml", own(a="./roses", b="roses/../roses", c=str(here / "roses"), d="~/roses"))
    study = session.plan(configuration.load(path), [path])
    assert [about["folder"] for about in study.config["data"].values()] == ["./roses", "roses/../roses", str(here / "roses"), "~/roses"]


def test_weights_beside_the_file_that_names_them_are_found(here):
    (here / "work").mkdir(), (here / "work" / "vit.pt").touch(), (here / "mine.pt").touch()
    base = {"model": "ViT-B-16"}
    for named, found in (("vit.pt", "work/vit.pt"), ("mine.pt", "mine.pt"), ("openai", "openai")):
        path = put(here / "work" / "ours.yaml", {"backbone": base | {"pretrained": named}})
        assert session.plan(configuration.load(path), [path]).config["backbone"]["pretrained"] == found


# Files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("study: a\n\tshots: 1\n", ("line 2", "a tab where YAML wants spaces")),
        ("shots: 1\nseeds: [1]\nshots: 2\n", ("`shots` twice", "lines 1 and 3")),
        ("data:\n  a: {folder: x}\n  a: {folder: y}\n", ("`a` twice", "lines 2 and 3")),
        ("seeds: [1\n", ("not valid YAML",)),
        ("", ("must hold keys and values",)),
        ("- a\n", ("must hold keys and values",)),
    ],
)
def test_a_file_that_is_no_sound_yaml_is_told_by_line(here, content, words):
    (here / "ours.yaml").write_text(content)
    told = sentence(lambda: configuration.load(here / "ours.yaml"))
    assert all(word in told for word in ("ours.yaml", *words))


@pytest.mark.parametrize(
    "content", ['{"study": "a",\n\t"shots": 1}', "{study: a, shots: 1}", "\ufeffstudy: a\nshots: 1\n", "x: &x {shots: 1}\n"]
)
def test_what_yaml_and_json_allow_is_read(here, content):
    (here / "ours.yaml").write_text(content)
    assert configuration.load(here / "ours.yaml")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shots": 0}, ("`shots` must be at least 1",)),
        ({"seeds": []}, ("`seeds` must list at least 1",)),
        ({"methods": ["copo"]}, ("unknown method `copo`", "`coop`")),
        ({"benchmark": "own"}, ("at least 2 tasks", "`data`")),
        ({"benchmark": "own", "data": {"roses": {"folder": "x"}}}, ("at least 2 tasks",)),
        ({"tasks": ["shapse", "colors"]}, ("unknown task `shapse`", "`shapes`")),
        ({"tasks": ["shapse"]}, ("unknown task `shapse`", "`shapes`")),
        ({"data": {"roses": {"foldr": "x"}}, "benchmark": "own", "tasks": ["roses", "shapes"]}, ("`foldr`", "`folder`", "docs/data.md")),
        ({"data": {"roses": "x"}, "benchmark": "own", "tasks": ["roses", "shapes"]}, ("`data.roses`", "keys and values")),
        ({"data": {"roses": {"title": "x"}}, "tasks": ["roses", "shapes"]}, ("needs either `folder`", "docs/data.md")),
    ],
)
def test_first_mistakes_in_a_configuration_have_one_sentence(changes, words):
    told = sentence(lambda: Study(changes))
    assert all(word in told for word in words), told


def test_what_is_called_by_a_number_is_written_in_quotes(here):
    described = {"folder": "2024", "classes": ["0", "1"], "title": "1e3", "splits": {"train": "2023", "test": "2024"}}
    study = Study({"benchmark": "own", "data": {"years": described, "b": {"folder": "b"}}})
    assert study.data.entry("years").task.class_names == ("0", "1") and study.data.entry("years").task.title == "1e3"
    assert study.data.entry("years").sources[0]["splits"] == {"train": "2023", "test": "2024"}
    typed_in = {"folder": "b", "redraw": {"train": "20", "validation": "0.1"}}  # as --config gives it
    (source,) = Study({"benchmark": "own", "data": {"years": described, "b": typed_in}}).data.entry("b").sources
    assert source["redraw"] == {"train": 20, "validation": 0.1}
    told = sentence(lambda: Study({"benchmark": "own", "data": {"years": {"folder": 2024}, "b": {"folder": "b"}}}))
    assert "put it in quotes" in told and "not 2024" in told


# Commands


def test_a_study_file_needs_no_config_yaml_beside_it(here, capsys):
    put(here / "ours.yaml", CONFIG)
    code, printed, _ = typed(capsys, "status", "--configfile", "ours.yaml")
    assert code == 5 and re.search(r"frozen cells coop +0 +24 +0 +0", printed)
    code, _, told = typed(capsys, "status")
    assert code == 1 and "config.yaml does not exist" in told
    code, _, told = typed(capsys, "status", "--configfile", "owers.yaml")
    assert code == 1 and "owers.yaml does not exist" in told


def test_a_version_is_told(capsys):
    code, printed, _ = typed(capsys, "--version")
    assert code == 0 and re.fullmatch(r"promptatlas \d+\.\d+\.\d+\n", printed)


def test_packing_before_any_run_says_to_run(here, capsys):
    put(here / "config.yaml", CONFIG)
    code, _, told = typed(capsys, "pack", "-o", "a.tar.gz")
    assert code == 1 and "is not finished" in told and "run the study" in told and not (here / "a.tar.gz").exists()


# Weights


def fetching(study: Study, monkeypatch, error: Exception | None) -> str:
    """What is told where weights cannot be had."""
    from promptatlas.backbone import export
    from promptatlas.runs import fetch

    def download(published):
        if error:
            raise error
        return ROOT / "README.md"

    monkeypatch.setattr(export, "download_pretrained", download)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    said: list[str] = []
    try:
        fetch.fetch(study, said.append)
    except UserError as told:
        return str(told)
    return ""


@pytest.mark.parametrize(
    ("model", "tag", "words"),
    [
        ("ViT-B-16", "openai", ("open_clip_model.safetensors", "open_clip_config.json",
                                "huggingface.co/timm/vit_base_patch16_clip_224.openai", "models--timm--vit_base_patch16_clip_224.openai",
                                "backbone: {model: ViT-B-16, pretrained: <folder>}")),
        ("ViT-B-32", "laion2b_s34b_b79k", ("huggingface.co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "pretrained: <folder>")),
        ("RN50", "cc12m", ("huggingface.co/timm/resnet50_clip.cc12m",)),
    ],
)  # fmt: skip
def test_weights_without_a_network_name_file_place_and_what_to_write(here, monkeypatch, model, tag, words):
    study = Study(CONFIG | {"backbone": {"model": model, "pretrained": tag}, "methods": ["coop"], "settings": {}, "download": False})
    study.folder.mkdir(parents=True)
    (study.folder / "missing.txt").write_text("of an earlier run")
    told = fetching(study, monkeypatch, OSError("no route to host"))
    assert "lacks 1 of 1 data sets and weights" in told and "no route to host" in told and "`download` is false" in told
    assert all(word in told for word in words), told
    assert not (study.folder / "missing.txt").exists() and "missing.txt" not in told
    assert not fetching(study, monkeypatch, None) and study.paths.fetched.exists()


def test_weights_that_only_have_an_address_name_it():
    from promptatlas.backbone.export import _by_hand

    told = _by_hand("ViT-X", {"url": "https://somewhere.org/models/x.pt"})
    assert "https://somewhere.org/models/x.pt" in told and "pretrained: <folder>/x.pt" in told


# Failures


def test_what_failed_is_said_once_and_not_again_by_each_result_that_is_made_of_it(here):
    """Five tasks that cannot be prepared are five sentences, however many cells, prompts and scores lack them."""
    from promptatlas.base.errors import Failed
    from promptatlas.runs.failures import FailedResults, lines, listed

    study, said = Study(CONFIG), []
    for task in study.tasks:
        failures = FailedResults(study, study.jobs.named(f"prepare_{task}"), said.append)
        failures.note(study.paths.task_records([task])[0], Failed(f"task {task} is broken"))
        failures.settle()
    for job in (*study.jobs.tune, *study.jobs.transfer):
        failures = FailedResults(study, job, said.append)
        for path in job.outputs:
            failures.note(path, Failed(f"task failed: task {path.stem if path.stem in study.tasks else 'shapes'} is broken"))
        failures.settle()
    assert sum(line.startswith("failed: ") for line in said) == len(study.tasks)
    assert [line for line in said if "left out" in line] == [
        f"left out: {count} results that are made of what failed before" for count in (4, 4, 24, 24)
    ]  # fmt: skip
    assert sum("is broken" in line for line in lines(study, listed(study))) == len(study.tasks)


def test_a_disk_that_takes_no_results_is_one_sentence(here, monkeypatch, capsys):
    def refuse(self, *_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(SystemExit):
        session.lock(Study(CONFIG))
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("promptatlas: the file system is read-only")


# The end of a run


def test_a_run_ends_with_the_place_of_its_report(study):
    """Also when there was nothing to do; and no rule is told that the study does not have."""
    told = study.run()
    assert "Nothing to be done" in told and told.splitlines()[-1] == "tiny: the report is results/tiny/report.html"
    assert "localrules" not in told


def test_a_report_older_than_the_tables_is_not_pointed_to(here, capsys):
    study = Study(CONFIG)

    def point(nothing_to_do=True):
        session._point_to_report(study, lambda: nothing_to_do)

    point()
    for path in (*study.tables, study.paths.report):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    os.utime(study.paths.report, (1, 1))
    point()
    assert not capsys.readouterr().err
    os.utime(study.paths.report)
    point()
    assert capsys.readouterr().err == "tiny: the report is results/tiny/report.html\n"


def test_a_run_that_ends_in_an_error_points_to_no_report(study):
    """Though one of an earlier run is there: where Snakemake gives up before any job it calls no hook."""
    assert "the report is" in study.run()
    for wrong in (["--cores", "0"], ["no_such_rule"], ["results/tiny/nothing.json"]):
        done = study.snakemake(*wrong)
        assert done.returncode == 1 and "the report is" not in done.stderr, done.stderr


# Before a run


@pytest.mark.parametrize("option", ["--cores", "--jobs", "--local-cores"])
@pytest.mark.parametrize("count", ["0", "-1"])
def test_a_run_of_nobody_is_refused_and_locks_nothing(study, option, count):
    """Snakemake would wait for ever."""
    assert f"must be at least 1, not {count}" in study.fails(option, count)


def test_prerequisites_are_told_in_a_sentence_each(here, monkeypatch):
    file = Path("config.yaml")
    assert prerequisites.wrong(file, 1, None, 2**63) == []
    put(file, CONFIG)
    assert prerequisites.wrong(file, 2, None, None) == []
    file.write_text("shots: 4\nseeds: ]")
    (torn,) = prerequisites.wrong(file, 2)
    assert "config.yaml is not valid YAML at line 2" in str(torn)
    file.unlink()
    for closed in (Path(), prerequisites.NOTES):
        closed.mkdir(exist_ok=True)
        monkeypatch.setattr(os, "access", lambda path, mode, closed=closed: path != closed)
        (told,) = prerequisites.wrong(file, 2)
        assert str(told) == f"{here} may not be written; make it writable, or run a copy of it"


def test_no_list_of_rules_names_one_that_a_study_may_not_have():
    """Snakemake warns of every such name, in each study that leaves its rule out."""
    rules = [path.read_text() for path in [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]]
    assert not any(re.search(r"^localrules:", text, re.M) for text in rules)
    local = re.findall(r"rule (\w+):\n(?:(?!^ *rule )[\s\S])*?localrule: True", "\n".join(rules), re.M)
    assert {"fetch", "backbone", "index", "collect", "page", "provenance"} <= {*local}
    assert {job.stage for job in Study(CONFIG).jobs.compute if job.is_quick} == {"draw"}


# What names of folders, lists and descriptions tell before any image is opened


def listed(path: Path, *rows) -> Path:
    path.write_text(json.dumps({"train": list(rows), "test": list(rows)}))
    return path


MISFITS = {
    "three": ({"metric": "roc_auc"}, ("three", "roc_auc needs exactly two classes, not 3")),
    "named": ({"classes": ["cat", "hamster"]}, ("named", "only the data have 'dog'", "only the task has 'hamster'")),
    "cut": ({}, ("cut", "is not a JSON file")),
    "row": ({}, ("row", "row 0 of 'train'")),
    "marks": ({"metric": "accuracy"}, ("marks", "has images of several classes")),
}


def test_classes_and_lists_that_do_not_fit_are_told_before_any_job(here, capsys):
    images(here / "three", "cat", "dog", "owl"), images(here / "named"), images(here / "sound")
    (here / "cut.json").write_text('{"train": [')
    listed(here / "row.json", ["1.jpg", "cat"])
    listed(here / "marks.json", ["1.jpg", [0, 1], ["cat", "dog"]])
    config = own(sound="sound") | {"tasks": ["sound", *MISFITS]}
    for task, (about, _) in MISFITS.items():
        config["data"][task] = {"folder": f"{task}.json" if (here / f"{task}.json").exists() else task} | about
    put(here / "ours.yaml", config)
    with pytest.raises(SystemExit):
        session.require_data(session.plan(config))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(MISFITS)
    for line, (_, words) in zip(told, MISFITS.values(), strict=True):
        assert all(word in line for word in words), line
    for command in ("plan", "status"):
        code, _, err = typed(capsys, command, "--configfile", "ours.yaml")
        assert code and all(line in err for line in told)


@pytest.mark.parametrize(
    ("rule", "share"),
    [({"train": 0.7, "validation": 0.5}, "120 %"), ({"train": 1.0}, "100 %"), ({"train": "0.5", "validation": "0.5"}, "100 %")],
)
def test_shares_that_leave_nothing_for_the_test_are_refused(rule, share):
    config = own(roses="roses", tulips="tulips")
    config["data"]["roses"]["redraw"] = rule
    told = sentence(lambda: Study(config))
    assert "`redraw` of task `roses`" in told and share in told and "leaves nothing for the test" in told


@pytest.mark.parametrize(
    "rule", [{"train": 0.7, "validation": 0.2}, {"train": 20, "validation": 10}, {"train": 0.5, "validation": 10, "test": 5}]
)
def test_shares_that_leave_something_are_not(rule):
    config = own(roses="roses", tulips="tulips")
    config["data"]["roses"]["redraw"] = rule
    assert Study(config).data.entry("roses").sources[0]["redraw"] == rule


def test_status_names_the_folder_in_which_it_looks(here, capsys):
    put(here / "config.yaml", {"study": "ours", "tasks": ["shapes", "colors"]})
    code, out, err = typed(capsys, "status")
    assert code == 5 and out.startswith("ours in results/ours\n")
    assert f"there is no {here / 'results' / 'ours'}: nothing of this study was computed here" in err
    (here / "results" / "ours").mkdir(parents=True)
    assert "there is no" not in typed(capsys, "status")[2]


def test_sizes_that_do_not_suffice_name_the_task(here):
    from PIL import Image

    from promptatlas.tasks import catalogue, preparation, readers

    for name in ("cat", "dog"):
        (here / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(here / "pictures" / name / "1.png")
    entry = catalogue.described("pets", {"folder": str(here / "pictures")})
    needs = preparation.Needs(size=8, resize="crop", shots=1, seeds=(1,), scheme="coop")
    told = sentence(lambda: preparation.prepare(entry, readers.find(entry.sources, here), here, here / "task", needs, 1, print))
    assert told.startswith("task 'pets': class 'cat' has 1 image, too few")


def test_paths_in_messages_take_no_detours(here, capsys):
    put(here / "studies" / "ours.yaml", own(roses="../rosse", tulips="../tulips"))
    images(here / "roses"), images(here / "tulips")
    code, _, err = typed(capsys, "status", "--configfile", "studies/ours.yaml")
    assert code and str(here / "rosse") in err and ".." not in err.replace("...", "")


def test_a_detour_through_a_link_is_kept(here):
    from promptatlas.study.relative_folders import tidy

    (here / "far" / "away").mkdir(parents=True)
    (here / "link").symlink_to(here / "far" / "away")
    assert tidy(here / "link" / ".." / "roses") == here / "link" / ".." / "roses"
    assert tidy(here / "far" / "away" / ".." / "roses") == here / "far" / "roses"
