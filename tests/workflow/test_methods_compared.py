"""Methods that have no place in the matrix: their jobs, what they keep, and that no test label ever chooses anything."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tiny_study import CONFIG, Finished, differing

TASK_NAMES = CONFIG["tasks"]
SETTINGS = {
    "coop": {"epochs": 2, "context": 2},
    "softcpt": {"epochs": 2, "context": 2, "task_vectors": 2},
    "coop_mt": {"epochs": 2, "context": 2},
    "tip_adapter": {"alpha_steps": 20, "beta_steps": 20},
    "tip_adapter_f": {"epochs": 4, "alpha_steps": 20, "beta_steps": 20, "learning_rate": 0.05},
    "prompt_adapter": {"alpha_steps": 20, "beta_steps": 20},
    "task_res": {"epochs": 4, "select": "best_validation"},
    "lp_plus_plus": {"epochs": 20},
}
METHODS = ["coop", "tip_adapter", "softcpt"]


def records(study, method) -> dict:
    return {name: json.loads(content) for name, content in study.contents(f"scores/{method}").items()}


@pytest.fixture(scope="module")
def compared(finished, tmp_path_factory):
    """The finished study with an adapter and a shared learner added to it."""
    study = Finished(tmp_path_factory.mktemp("compared") / "study")
    shutil.copytree(finished.folder, study.folder)
    study.configure(methods=METHODS, settings=SETTINGS)
    told = study.run()
    assert "adapt tip_adapter" in told and "share softcpt" in told
    assert not any(words in told for words in ("tune coop:", "transfer frozen", "linear probe"))
    return study


def test_every_method_reaches_the_tables_the_summary_and_the_page(compared):
    tables = compared.results / "tables"
    baselines, methods = (pd.read_parquet(tables / f"{name}.parquet") for name in ("baselines", "methods"))
    for method in ("tip_adapter", "softcpt"):
        found = baselines[baselines["method"] == method]
        assert len(found) == len(TASK_NAMES) and set(found["shots"]) == {2}
        for record in records(compared, method).values():
            row = found[(found["target"] == record["target"]) & (found["seed"] == record["seed"])]
            assert row["score"].item() == record["score"] and record["seconds"] > 0
    assert set(methods["method"]) == {*METHODS, "zero_shot", "linear_probe"}
    cell = json.loads((compared.results / "cells/frozen/coop/seed1/shapes/shapes.json").read_text())
    own = methods.query("method == 'coop' and task == 'shapes' and seed == 1")
    assert own["score"].item() == cell["score"]
    comparison = json.loads((compared.results / "summary.json").read_text())["comparison"]
    assert {one["method"] for one in comparison["methods"]} == set(methods["method"])
    assert (compared.results / "figures" / "methods.svg").exists()
    assert all(one["alpha"] and one["beta"] for one in records(compared, "tip_adapter").values())
    assert all(one["epoch"] in (1, 2) for one in records(compared, "softcpt").values())
    assert not compared.contents("resume")


def test_an_added_method_runs_its_own_jobs_alone_and_a_deleted_score_comes_back_alone(compared):
    before = compared.contents("cells", "prompts", "scores", "shared")
    compared.configure(methods=[*METHODS, "prompt_adapter"], settings=SETTINGS)
    deleted = "scores/tip_adapter/seed1/colors.json"
    old = json.loads(before[deleted])
    (compared.results / deleted).unlink()
    told = compared.run("--until", "describe")
    assert f"{1 + 2 * len(TASK_NAMES)} of {4 * len(TASK_NAMES)} scores are missing" in told
    assert "share coop_mt" in told and "adapt prompt_adapter" in told
    assert not any(words in told for words in ("tune coop:", "transfer frozen", "share softcpt", "linear probe"))
    after = compared.contents("cells", "prompts", "scores", "shared")
    new = {name for name in after if "/prompt_adapter/" in name or "/coop_mt/" in name}
    assert len(new) == 3 * len(TASK_NAMES) + 1  # of coop_mt one learner, and of each task a prompt and a score
    assert differing(before, after) <= {*new, deleted}
    again = json.loads(after[deleted])
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in old.items() if k != "seconds"}


@pytest.mark.parametrize("source", ["coop_mt", "coop"])
def test_prompt_adapter_answers_with_the_class_weights_of_its_prompt(finished, tmp_path, source, monkeypatch):
    """s f W + alpha exp(-beta (1 - f K)) V, with the stored W of the shared learner or of the task's own prompt, and the
    backbone's own scale s."""
    from safetensors import safe_open

    from promptatlas import backbone
    from promptatlas.backbone import feature_file
    from promptatlas.backbone.classifier import PromptedClassifier
    from promptatlas.methods.registry import METHODS
    from promptatlas.records.prompt_file import TunedPrompt
    from promptatlas.runs import engine, status
    from promptatlas.study.study import Study
    from promptatlas.tasks.prepared import PreparedTask
    from promptatlas.training import adapters

    shutil.copytree(finished.results, tmp_path / "tiny")
    own = {name: SETTINGS[name] for name in ("coop", "coop_mt")}
    own["prompt_adapter"] = SETTINGS["prompt_adapter"] | {"class_weights": source}
    study = Study(CONFIG | {"methods": ["coop", "prompt_adapter"], "settings": own, "results": str(tmp_path), "device": "cpu"})
    for job in study.jobs.share:
        engine.run(study, job, 1, quiet)
    (job,) = study.jobs.adapt
    fit, scales = adapters.tip_adapter, []
    monkeypatch.setattr(adapters, "tip_adapter", lambda *given: scales.append(given[1]) or fit(*given))
    engine.run(study, job, 1, quiet)
    model, differing_from_templates = backbone.load(study.paths.backbone_folder), 0
    assert set(scales) == {model.logit_scale} and model.logit_scale < 50
    for name in TASK_NAMES:
        record, task = (
            json.loads(study.paths.score("prompt_adapter", 1, name).read_text()),
            PreparedTask.open(study.paths.task_folder(name)),
        )
        if source == "coop":
            prompts = TunedPrompt.load(study.paths.prompt("coop", 1, name))[0].prompts
            weights = PromptedClassifier(model, task.task.class_names, prompts).class_features(prompts)[0].numpy()
        else:
            with safe_open(study.paths.shared("coop_mt", 1), framework="numpy") as file:
                weights = file.get_tensor(f"weights.{name}")
        held, drawn = feature_file.load(study.paths.encoded(name))[0], json.loads(study.paths.draw(name, 1).read_text())
        rows, f = task.rows("train", np.asarray(drawn["train"])), held["features_test"]
        keys, values = held["features_train"][rows], np.eye(len(weights))[task.labels("train")[rows]]
        remembered = record["alpha"] * np.exp(-record["beta"] * (1 - f @ keys.T)) @ values
        right, otherwise = (
            np.mean((model.logit_scale * f @ w.T + remembered).argmax(1) == task.labels("test")) for w in (weights, held["class_features"])
        )
        assert record["score"] == pytest.approx(right)
        differing_from_templates += right != otherwise
    assert differing_from_templates >= 2  # with the templates' weights the scores would be others
    before = {state.path: state for state in status.states(study)}
    monkeypatch.setitem(METHODS._entries, "prompt_adapter", replace(METHODS["prompt_adapter"], revision=3))
    stale = {state.path for state in status.states(study) if state != before[state.path]}
    assert stale == {study.paths.score("prompt_adapter", 1, name) for name in TASK_NAMES}
    assert {before[path].kind for path in stale} == {status.DONE}
    assert {state.why for state in status.states(study, "prompt_adapter")} == {("revision",)}
    assert study.provenance("prompt_adapter")["revision"] == 3 and "revision" not in study.provenance("coop")


def in_process(folder, backbone, noise=False):
    """The choices of a real run of all jobs up to the scores, in this process; with `noise` the test labels are shuffled."""
    from promptatlas.records.prompt_file import TunedPrompt
    from promptatlas.runs import engine, prepare
    from promptatlas.study.study import Study
    from promptatlas.tasks import prepared

    listed = list(SETTINGS)
    study = Study(CONFIG | {"methods": listed, "settings": SETTINGS, "shots": 4, "results": str(folder), "device": "cpu"})
    shutil.copytree(backbone, study.paths.backbone_folder)
    for name in study.tasks:
        prepare.prepare(study, name, 1, quiet)
        if noise:
            place = study.paths.task_folder(name)
            labels = np.load(place / "test_labels.npy")
            mixed = np.random.default_rng(0).permutation(labels)
            np.save(place / "test_labels.npy", mixed)
            record = json.loads((place / "task.json").read_text())
            record["fingerprints"]["test"] = prepared.fingerprint(np.load(place / "test_digests.npy"), mixed)
            (place / "task.json").write_text(json.dumps(record))
    engine.run(study, study.jobs.draw, 1, quiet)
    for job in study.jobs.encode:
        engine.run(study, job, 1, quiet)
    for job in study.jobs.tune:
        engine.run(study, job, 1, quiet)
    for job in study.jobs.share:
        engine.run(study, job, 1, quiet)
    for job in study.jobs.adapt:
        engine.run(study, job, 1, quiet)
    found = [json.loads(path.read_text()) for path in study.score_records]
    chosen = {(one["method"], one["target"]): [one[key] for key in ("epoch", "alpha", "beta")] for one in found}
    prompts = {path.stem: TunedPrompt.load(path)[0].best_epoch for path in study.all_prompts}
    return chosen, prompts, [one["score"] for one in found]


def quiet(*words) -> None:
    pass


def test_noise_in_the_test_labels_changes_no_epoch_alpha_or_beta(backbone, tmp_path):
    chosen, prompts, scores = in_process(tmp_path / "as_they_are", backbone)
    others, other_prompts, other_scores = in_process(tmp_path / "noise", backbone, noise=True)
    assert chosen == others and prompts == other_prompts
    assert scores != other_scores  # the noise was there
    assert len({tuple(one) for one in chosen.values()}) > 5  # and there was something to choose


def test_prompt_adapter_takes_its_class_weights_from_coops_prompt_of_all_tasks_as_its_authors_did(finished, tmp_path):
    """100 f W + alpha exp(-beta (1 - f K)) V, with W by way of the prompt taken away."""
    from promptatlas import load_prompt
    from promptatlas.backbone import feature_file
    from promptatlas.runs import engine
    from promptatlas.study.study import Study
    from promptatlas.tasks.prepared import PreparedTask

    shutil.copytree(finished.results, tmp_path / "tiny")
    own = {"coop": SETTINGS["coop"], "prompt_adapter": SETTINGS["prompt_adapter"] | {"class_weights": "multitask"}}
    changes = {"methods": ["coop", "prompt_adapter"], "settings": own, "multitask": "all", "union": {"source_epochs": 3}}
    study = Study(CONFIG | changes | {"results": str(tmp_path), "device": "cpu"})
    for job in study.jobs.multitask:
        engine.run(study, job, 1, quiet)
    (job,) = study.jobs.adapt
    assert job.class_weights == [tmp_path / "tiny/multitask/coop/seed1/all.safetensors"]
    engine.run(study, job, 1, quiet)
    prompt = load_prompt(job.class_weights[0])
    for name in TASK_NAMES:
        record = json.loads(study.paths.score("prompt_adapter", 1, name).read_text())
        assert record["parts"]["class_weights"] == prompt.trained.fingerprint()
        task, drawn = PreparedTask.open(study.paths.task_folder(name)), json.loads(study.paths.draw(name, 1).read_text())
        held, classifier = feature_file.load(study.paths.encoded(name))[0], prompt.classifier(task.task.class_names)
        plain = classifier(np.asarray(task.images("test"))).logits
        rows = task.rows("train", np.asarray(drawn["train"]))
        keys, values = held["features_train"][rows], np.eye(len(task.task.class_names))[task.labels("train")[rows]]
        logits = plain + record["alpha"] * np.exp(record["beta"] * (held["features_test"] @ keys.T - 1)) @ values
        assert np.mean(logits.argmax(1) == task.labels("test")) == pytest.approx(record["score"])
    (apart,) = Study(study.config | {"multitask": "leave_one_out"}).jobs.adapt
    assert {path.stem for path in apart.class_weights} == {f"without-{name}" for name in TASK_NAMES}


@pytest.mark.parametrize("model", ["RN50", "ViT-B-16-SigLIP"])
@pytest.mark.parametrize("method", ["vpt", "upt", "maple", "ivlp"])
def test_prompts_in_an_image_tower_that_takes_none_are_refused_before_any_job(model, method):
    from promptatlas.base.errors import UserError
    from promptatlas.study.configuration import complete

    weights = {"RN50": "openai", "ViT-B-16-SigLIP": "webli"}[model]
    with pytest.raises(UserError, match=f"`methods` lists {method}.*image tower.*{model}"):
        complete({"methods": ["coop", method], "backbone": {"model": model, "pretrained": weights}})


def test_the_registry_says_which_methods_have_visual_prompts():
    """The configuration is checked without the classes; both must say the same."""
    from promptatlas import methods
    from promptatlas.methods import module_class

    assert {name: methods.is_visual(name) for name in methods.names()} == {name: module_class(name).visual for name in methods.names()}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ["tip_adapter", "softcpt"]}, "`methods` must list at least one whose prompts can be moved"),
        ({"methods": ["zero_shot"], "design": "base_to_new"}, "`methods` must list at least one whose prompts can be moved"),
        ({"methods": ["tip_adapter"], "design": "few_shot", "joint": "auto"}, "`joint` is about prompts"),
        ({"methods": ["softcpt"], "design": "few_shot", "multitask": "all"}, "`multitask` is about prompts"),
        ({"settings": {"zero_shot": {"templates": "last"}}}, "settings.zero_shot.templates: 'last' is not one of ensemble, first"),
        ({"settings": {"linear_probe": {"decades": 400}}}, "settings.linear_probe.decades: 400 must be above zero and at most 30"),
        ({"methods": ["vpt", "prompt_adapter"], "settings": {"prompt_adapter": {"class_weights": "coop"}}}, "add coop"),
        (
            {"methods": ["coop", "prompt_adapter"], "settings": {"prompt_adapter": {"class_weights": "multitask"}}},
            "which this study does not tune; list coop under `methods` and write `multitask: all`",
        ),
        (
            {"methods": ["vpt", "prompt_adapter"], "multitask": "all", "settings": {"prompt_adapter": {"class_weights": "multitask"}}},
            "list coop under `methods`",
        ),
        ({"methods": ["coop", "tip_adaptor"]}, "did you mean `tip_adapter`"),
        ({"settings": {"tip_adapter": {"alpha": 3}}, "methods": ["coop", "tip_adapter"]}, "settings.tip_adapter.alpha"),
    ],
)
def test_a_wrong_list_of_methods_is_refused_in_one_sentence(changes, words):
    from promptatlas.base.errors import UserError
    from promptatlas.study.configuration import complete

    with pytest.raises(UserError) as caught:
        complete(changes)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_what_an_adapter_builds_upon_is_trained_too_and_baselines_may_be_listed():
    from promptatlas.study.study import Study

    study = Study({"methods": ["zero_shot", "coop", "linear_probe", "prompt_adapter_f"]})
    assert study.methods == ("coop",) and study.shared_methods == ("coop_mt",)
    assert study.adapter_methods == ("prompt_adapter_f",) and not Study({}).all_scores


@pytest.mark.parametrize("design", ["matrix", "few_shot", "base_to_new", "cross_dataset", "domain"])
def test_listing_what_is_always_measured_changes_nothing(design):
    from promptatlas.study.study import Study

    given = {"design": design, "tasks": TASK_NAMES[:3], "sources": TASK_NAMES[:1] if design in ("cross_dataset", "domain") else []}
    without, listed = (Study(given | {"methods": methods}) for methods in (["coop"], ["linear_probe", "coop", "zero_shot"]))
    assert listed.jobs.every == without.jobs.every
    assert listed.description == without.description | {"methods": ["linear_probe", "coop", "zero_shot"]}
