"""A user's mistake gives one clear sentence and status 1, before any work where possible, and nothing is lost."""

import json
import re
import subprocess
import sys

import pytest

from promptatlas.cli import command
from tiny_study import CONFIG, ENVIRONMENT, PROMPTATLAS, ROOT


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tasks": ["shapes", "colrs"]}, ("unknown task `colrs`", "`colors`")),
        ({"methods": ["cop"]}, ("unknown method `cop`", "`coop`")),
        ({"shotz": 3}, ("unknown key `shotz`", "`shots`")),
        ({"statistics": {"permutation": 3}}, ("unknown key `permutation`", "`permutations`")),
        ({"shots": -1}, ("`shots` must be at least 1",)),
        ({"seeds": []}, ("`seeds` must list at least 1",)),
        ({"seeds": "one"}, ("`seeds` must be a list",)),
        ({"protocols": ["thawed"]}, ("unknown protocol `thawed` under `protocols`",)),
        ({"jobs": {"sources_per_job": "auto"}}, ("`jobs.sources_per_job` must be `all` or a whole number of at least 1",)),
        ({"similarity": None}, ("`similarity` must be `standard` or `all` or a list of at least 1 different names, not nothing",)),
        ({"jobs": {"targets_per_job": 0}}, ("`jobs.targets_per_job` must be `all` or `auto` or a whole number of at least 1",)),
        (
            {"multitask": True},
            ("`multitask` must be `leave_one_out` or `all` or `null` or a list of at least 2 different names, not True",),
        ),
        ({"multitask": ["shapes"]}, ("a list of at least 2 different names",)),
        ({"multitask": ["shapes", "colrs"]}, ("unknown task `colrs` under `multitask`", "`colors`")),
        ({"multitask": CONFIG["tasks"]}, ("leaves none to try its prompt on", "`multitask: all`")),
        ({"multitask": ["shapes", "glasses"], "joint": [["shapes", "colors"]]}, ("`joint` lists shapes", "source task under `multitask`")),
        ({"multitask": ["shapes", "glasses"], "design": "base_to_new"}, ("`multitask` is for `design: matrix`",)),
        ({"settings": {"coop": {"epoch": 3}}}, ("settings.coop.epoch", "epochs")),
        ({"settings": {"coop": {"epochs": -3}}}, ("settings.coop.epochs",)),
        ({"settings": {"cop": {}}}, ("unknown method `cop`",)),
    ],
)
def test_a_wrong_configuration_is_refused_in_one_sentence(changes, words):
    from promptatlas.base.errors import UserError
    from promptatlas.study.configuration import complete

    with pytest.raises(UserError) as caught:
        complete(CONFIG | changes)
    sentence = str(caught.value)
    assert all(word in sentence for word in words) and "\n" not in sentence


def test_numbers_from_the_command_line_are_numbers():
    from promptatlas.study.configuration import complete

    config = complete({"seeds": ["4", "5"], "settings": {"coop": {"learning_rate": "1e-3"}}})
    assert config["seeds"] == [4, 5] and config["settings"]["coop"]["learning_rate"] == 0.001


def of_command_line(*entries):
    """What Snakemake makes of `--config` and these."""
    from snakemake.cli import parse_config

    return parse_config(entries)


def every_key(rule, defined, *path):
    """All keys of the schema, with what they take."""
    for name, part in rule.get("properties", {}).items():
        part = defined[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        yield (*path, name), part
        yield from every_key(part, defined, *path, name)


@pytest.mark.parametrize(
    ("word", "meant"), [("false", False), ("true", True), ("False", False), ("no", False), ("ON", True), ("null", None), ("~", None)]
)
def test_every_key_that_takes_true_false_or_nothing_takes_it_from_the_command_line(word, meant):
    from promptatlas.study import schema

    checked = []
    for (first, *rest), rule in every_key(schema.schema(), schema.schema()["$defs"]):
        kinds = [*(rule.get("type") or ()), *(one["const"] if "const" in one else one.get("type", "") for one in rule.get("anyOf", ()))]
        if (None in kinds or "null" in kinds) if meant is None else "boolean" in (rule.get("type"), *kinds):
            given = of_command_line(f"{first}={word}" if not rest else f"{first}={{{rest[0]}: {word}}}")
            found = schema.meant(given)
            for key in (first, *rest):
                found = found[key]
            schema.check(schema.meant(given))
            assert found is meant, (first, rest)
            checked.append(".".join([first, *rest]))
    wanted = {"multitask", "only"} if meant is None else {"download", "deterministic", "choice", "union.average_seeds"}
    assert wanted <= {*checked}


def test_a_word_where_a_key_takes_text_stays_text():
    from promptatlas.study import schema

    given = of_command_line(
        "study=no", "results=off", "tasks=[yes, no]", "design=true", "settings={coop: {initial: null}}", "data={yes: {folder: no}}"
    )
    expected = {"study": "no", "results": "off", "tasks": ["yes", "no"], "data": {"yes": {"folder": "no"}}}
    assert schema.meant(given) == expected | {"design": "true", "settings": {"coop": {"initial": "null"}}}


def test_arguments_of_a_data_set_from_the_command_line_are_true_and_false():
    """A text would be taken for true, whatever it says."""
    from promptatlas.study.configuration import complete

    splits = "{train: {train: true}, test: {train: false}}"
    given = of_command_line(
        "tasks=[shapes, digits]", f"data={{digits: {{source: {{reader: torchvision, dataset: MNIST, splits: {splits}}}}}}}"
    )
    source = complete(given)["data"]["digits"]["source"]
    assert source["splits"] == {"train": {"train": True}, "test": {"train": False}}


def test_numbers_and_lists_from_the_command_line_are_numbers_and_lists():
    from promptatlas.study.configuration import complete

    config = complete(
        of_command_line(
            "shots=4",
            "seeds=[1, 2]",
            "choice={draws: 3, shots: [1, 2]}",
            "jobs={tasks_per_job: 2}",
            "joint=[[shapes, colors]]",
            "statistics={permutations: 99}",
            "multitask=null",
        )
    )
    assert (config["shots"], config["seeds"], config["multitask"], config["joint"]) == (4, [1, 2], None, [["shapes", "colors"]])
    assert config["choice"]["draws"] == 3 and config["choice"]["shots"] == [1, 2] and config["jobs"]["tasks_per_job"] == 2


def test_a_misspelt_key_ends_the_workflow_before_any_job(study):
    before = study.contents(".")
    study.configure(shotz=3)
    assert "unknown key `shotz`" in study.fails()
    assert study.contents(".") == before


@pytest.mark.imports
def test_planning_imports_no_torch():
    code = "import sys, promptatlas.runs.session as p; p.plan({}); sys.exit('torch' in sys.modules or 'open_clip' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT).returncode == 0


def test_a_damaged_backbone_is_named_and_nothing_is_lost(study):
    """Weights that were given are not the study's to make again."""
    path = study.results / "backbone/backbone.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    before = study.contents("cells", "prompts")
    sentence = study.fails("results/tiny/cells/frozen/vpt/seed1/shapes/glasses.json", "--force")
    assert "backbone/backbone.safetensors" in sentence and "delete" in sentence
    assert study.contents("cells", "prompts") == before


def test_damaged_results_are_named_beforehand_kept_aside_and_computed_again(study):
    """Files that are cut off, a score that is no number, a cell of another place: `-n`, `status` and the run say the same."""
    cells, measured = study.results / "cells/frozen/coop/seed1", study.measured()
    damaged = [
        "tasks/shapes/task.json", "tasks/colors/train_labels.npy", "draws/shots2-seed1/glasses.json", "encoded/shapes.safetensors",
        "probes/colors.json", "prompts/vpt/seed1/shapes.safetensors", "cells/frozen/vpt/seed1/shapes/colors.json",
        "tables/similarity.parquet", "summary.json",
    ]  # fmt: skip
    for name in damaged:
        path = study.results / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    undefined = json.loads((cells / "shapes/colors.json").read_text()) | {"score": float("nan")}
    (cells / "shapes/colors.json").write_text(json.dumps(undefined))
    (cells / "colors/shapes.json").write_bytes((cells / "colors/glasses.json").read_bytes())
    damaged += [f"cells/frozen/coop/seed1/{name}.json" for name in ("shapes/colors", "colors/shapes")]
    before = study.contents(".")

    dry = study.run("-n")
    assert "tiny: damaged, and counted as missing: tasks/shapes/task.json" in dry and f"and {len(damaged) - 5} more" in dry
    rules = ("prepare", "draw", "encode", "probe", "tune_vpt", "transfer_frozen_coop", "transfer_frozen_vpt", "similarity", "statistics")
    assert all(re.search(rf"^{rule} +[12]$", dry, re.MULTILINE) for rule in rules)
    told = subprocess.run([PROMPTATLAS, "status"], cwd=study.folder, env=ENVIRONMENT, text=True, capture_output=True)
    assert told.returncode == 4 and f"damaged, kept aside and made again by the next run: {len(damaged)}" in told.stdout
    assert "results/tiny/cells/frozen/coop/seed1/shapes/colors.json" in told.stdout
    assert study.contents(".") == before

    assert "kept in results/tiny/damaged" in study.run("--omit-from", "figures")
    assert study.measured() == measured
    kept = study.contents("damaged")
    assert kept == {f"damaged/{name}": before[name] for name in damaged}
    assert "damaged" not in study.run("-n")


def test_a_corrupt_cell_is_never_collected(tmp_path):
    from promptatlas.base.errors import UserError
    from promptatlas.runs import tables
    from promptatlas.study.study import Study

    study = Study(CONFIG | {"results": str(tmp_path)})
    for cell in study.cells:
        content = cell.address() | {"metric": "accuracy", "score": 0.5, "chance": 0.25, "fingerprint": "", "parts": {}}
        study.paths.cell(cell).parent.mkdir(parents=True, exist_ok=True)
        study.paths.cell(cell).write_text(json.dumps(content))
    path = study.paths.cell(cell)
    for broken, words in (
        (path.read_text()[:100], "corrupt"),
        (json.dumps(content | {"score": float("nan")}), "corrupt"),
        (json.dumps(content | {"source": "shapes"}), "belongs to another place"),
    ):
        path.write_text(broken)
        with pytest.raises(UserError, match=f"{path.name} .*{words}.*delete the file and run again"):
            tables.transfer_table(study)


def test_a_missing_configuration_file_is_said_in_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        command.main(["status"])
    said = capsys.readouterr().err
    assert ended.value.code == 1 and "config.yaml does not exist" in said and said.count("\n") == 1


def test_the_default_configuration_says_what_the_schema_says():
    """config.yaml shows every key with its default; `recommend` is no key of studies that train."""
    import yaml

    from promptatlas.study.configuration import complete

    shown = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert complete(shown) == complete({}) and set(shown) == {*complete({}), "recommend"} and shown["recommend"] is None


def test_only_the_embedded_model_is_tuned_with_its_own_preset():
    """A study of a published model, written on top of config.yaml, gets the papers' settings."""
    import yaml

    from promptatlas.study.configuration import complete

    shown = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert complete(shown)["settings"]["vpt"]["optimizer"] == "adamw"
    published = complete(shown | {"backbone": {"model": "ViT-B-16-quickgelu", "pretrained": "openai"}})
    assert published["settings"]["vpt"]["optimizer"] == "sgd" and published["settings"]["vpt"]["epochs"] == 200


def test_measures_are_accepted_by_the_name_they_are_registered_with(request):
    """Also one from outside the package; any other name is refused with the nearest that there is."""
    from promptatlas.base.errors import UserError
    from promptatlas.evaluation.similarity import MEASURES, lookup, measure, registered
    from promptatlas.study.configuration import complete

    assert complete({"similarity": registered(), "statistics": {"primary": registered()}})["similarity"] == registered()
    with pytest.raises(UserError, match="unknown measure `by_title` under `similarity`"):
        complete({"similarity": ["by_title"]})
    measure("by_title", title="titles", family="label", directed=False, needs=["class_names"])(lambda corpus: None)
    request.addfinalizer(lambda: MEASURES.remove("by_title"))
    assert complete({"similarity": ["by_title"], "statistics": {"primary": ["by_title"]}})["similarity"] == ["by_title"]
    assert lookup("by_title").title == "titles"
    for wrong in ({"similarity": ["by_titel"]}, {"statistics": {"primary": ["by_titel"]}}):
        with pytest.raises(UserError, match=r"unknown measure `by_titel` under .*; did you mean `by_title`"):
            complete(wrong)


def test_class_weights_of_adapters_may_come_from_any_registered_learner_of_all_tasks():
    from promptatlas import methods
    from promptatlas.base.errors import UserError
    from promptatlas.methods.registry import METHODS

    given = {"class_weights": "toy_together"}
    with pytest.raises(UserError, match="is not one of coop_mt, softcpt, coop, multitask"):
        methods.settings("prompt_adapter", given)
    methods.register("toy_together", "somewhere:Toy", "shared")
    try:
        assert methods.settings("prompt_adapter", given)["class_weights"] == "toy_together"
    finally:
        METHODS.remove("toy_together")
