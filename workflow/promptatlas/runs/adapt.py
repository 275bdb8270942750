"""The job that runs adapters on the frozen features of tasks, one after the other. Knows nothing of how an adapter works."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import Tensor

from promptatlas import backbone
from promptatlas.backbone import Backbone
from promptatlas.base.errors import Failed
from promptatlas.base.messages import counted
from promptatlas.base.progress import Progress, Say
from promptatlas.base.rng import stream
from promptatlas.methods import module_class, revision
from promptatlas.records.cells import digest, fingerprint
from promptatlas.records.prompt_file import LearnedPrompt
from promptatlas.runs import devices, learner_file, score_record, session
from promptatlas.runs.attempts import alone
from promptatlas.runs.failures import Holes
from promptatlas.runs.known import Described, Known, numerics, record
from promptatlas.study.jobs import AdaptJob
from promptatlas.study.study import Study
from promptatlas.training import adapters
from promptatlas.training.adapters import Adapter, Examples


def fit(study: Study, job: AdaptJob, threads: int, say: Say) -> None:
    """Write the scores of the adapters of `job`; those that still hold are kept, except the forced ones."""
    forced = session.forced(study, job.name, job.outputs)
    model = backbone.load(study.paths.backbone_folder, devices.chosen(study.config["device"], threads))
    settings = study.settings(job.method)
    say(f"adapt {job.method}: {counted(len(job.tasks), 'task')}, {counted(len(study.seeds), 'seed')}")
    holes = Holes(study, job, say)
    used: list[Path] = []
    progress = Progress(f"adapt {job.method}", len(job.tasks), "tasks", say)
    for name in job.tasks:
        known = alone(lambda name=name: Known.of(study, name, model.device))
        for seed in study.seeds:
            path = study.paths.score(job.method, seed, name)
            failed = alone(partial(_score, study, job.method, settings, model, known, seed, path in forced, used))
            if isinstance(failed, Failed):
                metric = "" if isinstance(known, Failed) else known.prepared.task.metric
                score_record.fail(holes, path, failed, job.method, seed=seed, target=name, metric=metric)
        progress.step(name)
    for path in used:
        path.unlink(missing_ok=True)
    holes.settle()


def _score(
    study: Study, method: str, settings: dict, model: Backbone, known: Known | Failed, seed: int, anew: bool, used: list[Path]
) -> None:
    """See to it that the score of one seed is there; `used` gets what is kept for the case of an interruption."""
    if isinstance(known, Failed):
        raise known
    parts, weights = score_parts(study, method, model, known, seed)
    used.append(study.paths.resume(fingerprint(parts), "json"))
    path = study.paths.score(method, seed, known.prepared.task.name)
    if not anew and (score_record.holds(path, parts) or score_record.resumed(study, path, parts)):
        return
    started = time.perf_counter()
    adapter = adapted(method, settings, model.logit_scale, weights(), known, seed)
    choice, logits = adapter.choice, adapter.logits(known.test)
    content = record(
        method, seed, known, logits, parts, time.perf_counter() - started,
        epoch=adapter.best_epoch, alpha=choice.alpha, beta=choice.beta,
    )  # fmt: skip
    score_record.keep(study, path, content)


def score_parts(study: Study, method: str, model: Backbone, known: Described, seed: int) -> tuple[dict[str, str], Callable[[], Tensor]]:
    """Everything that determines a score, by name, and how to get the class weights that the adapter starts from."""
    settings = study.settings(method)
    made_of, weights = _class_weights(study, settings, model, known, seed)
    parts = numerics(model.fingerprint) | known.learned_from(seed) | known.tested_on() | made_of
    own = {"method": method, "settings": digest(settings), "seed": str(seed), "revision": str(revision(method))}
    return parts | own, weights


def adapted(method: str, settings: dict, scale: float, weights: Tensor, known: Known, seed: int) -> Adapter:
    """The adapter that the few-shot pictures of one seed give with class weights (C, D) and the scale of their cosines.

    No test picture is looked at.
    """
    own = known.few_shot[seed]
    task = known.prepared.task
    further = (stream("order", method, task.name, seed),) if "epochs" in settings else ()
    return module_class(method)(settings, scale, weights, Examples(*own.train), Examples(*own.validation), task.metric, *further)


def weights_file(study: Study, settings: dict, seed: int, name: str) -> Path | None:
    """Where the prompt or learner is that class weights are made of; None if they are those of sentences."""
    source = settings.get("class_weights")
    if source is None:
        return None
    return study.paths.shared(source, seed) if source in study.shared_methods else study.paths.adapter_prompt(source, seed, name)


def _known(task: Described) -> Known:
    """Class weights are asked for only of what is to be computed."""
    assert isinstance(task, Known)
    return task


def _class_weights(
    study: Study, settings: dict, model: Backbone, known: Described, seed: int
) -> tuple[dict[str, str], Callable[[], Tensor]]:
    """What the class weights of a task are made of, for the fingerprint, and how to get them."""
    source, name = settings.get("class_weights"), known.prepared.task.name
    path = weights_file(study, settings, seed, name)
    if path is None:
        return {"class_weights": f"{study.sentences}s"}, lambda: _known(known).class_features
    if source in study.shared_methods:
        weights, mark = learner_file.class_weights(path, name)
        return {"class_weights": mark}, partial(weights.to, model.device)
    try:
        learned = LearnedPrompt.load(path)[0]
    except Failed as why:
        raise Failed(f"source prompt failed: {why}") from None
    names = known.prepared.task.class_names
    return {"class_weights": learned.fingerprint()}, partial(adapters.class_weights, model, names, learned.prompts)
