"""The job that trains a shared learner on all tasks of a study at once, one per seed, and scores it on each of them.

A task that failed, or whose draw of a seed did, is left out: the learner's file says so, and its fingerprint is another one, so that
the learner is trained again when the task is mended. The task itself has no score.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from promptatlas.base.errors import Failed
from promptatlas.records import card, learner_file
from promptatlas.records.fingerprint import digest
from promptatlas.records.learner_file import LEARNER, Learner
from promptatlas.records.prompt_file import PROMPT, TunedPrompt
from promptatlas.records.score import SCORE
from promptatlas.runs.attempts import Parted, apart
from promptatlas.runs.engine import Artifact, Batch, Step
from promptatlas.runs.known import Described, OfMethod, described, numerics, scored
from promptatlas.study.jobs import ShareJob
from promptatlas.training.shared_learner import SharedTask, tune_shared


class Share(OfMethod[ShareJob]):
    """The learners of one method, the prompts that they give, and their scores."""

    def steps(self) -> Iterator[Step]:
        name, seeds = f"share {self.method}", self.job.seeds
        yield Step(name, "learners to train", [Batch(f"seed {seed}", [self.learner(seed)], self.train) for seed in seeds])
        given = [(task, seed) for seed in seeds for task in self.job.prompted]
        if given:
            yield Step(name, "prompts to give", [Batch(task, [self.prompt(task, seed)], self.give) for task, seed in given], False)
        scores = [(task, seed) for seed in seeds for task in self.study.tasks]
        yield Step(name, "scores to measure", [Batch(task, [self.score(task, seed)], self.measure) for task, seed in scores])

    # Learners

    def learner(self, seed: int) -> Artifact:
        path, inputs = self.study.paths.shared(self.method, seed), partial(self.inputs, seed)
        return Artifact(f"shared {self.method}", path, LEARNER, inputs, seed, lambda: {"method": self.method})

    def inputs(self, seed: int) -> dict[str, str]:
        """Everything that determines a learner, by name."""
        model, tasks = numerics(self.at.model), self.parted(seed)
        if not tasks.sound:
            raise Failed(f"every task failed: {next(iter(tasks.failed.values()))}")
        given = [task.trained_on(seed) | {"title": task.prepared.task.title} for task in tasks.sound.values()]
        own = {"method": self.method, "settings": digest(self.settings), "tasks": digest(given), "seed": str(seed)}
        return model | own

    def parted(self, seed: int) -> Parted[str, Described]:
        """The tasks on which a learner of a seed can be trained, and why the others are left out."""
        return apart(partial(self._trainable, seed=seed), self.study.tasks)

    def _trainable(self, name: str, seed: int) -> Described:
        task = described(self.at, name)
        task.trained_on(seed)
        self.at.feature_inputs(name)  # raises Failed for one that could not be encoded
        return task

    def train(self, seeds: Sequence[int]) -> list[Learner]:
        return [self._train(seed) for seed in seeds]

    def _train(self, seed: int) -> Learner:
        tasks = self.parted(seed)
        sound, left = [*tasks.sound], tasks.failed
        if left:
            self.at.say(f"share {self.method}: seed {seed} is trained without {', '.join(left)}, which failed")
        started, together = time.perf_counter(), []
        for name in sound:
            task, own = self.known[name].prepared.task, self.known[name].few_shot[seed]
            together.append(SharedTask(task.title, task.class_names, task.metric, own.train, own.validation))
        trained = tune_shared(self.at.model, self.method, self.settings, together, seed)
        return Learner(
            self.method,
            seed,
            trained.parameters,
            dict(zip(sound, trained.class_weights, strict=True)),
            dict(zip(sound, trained.contexts, strict=True)),
            trained.history,
            trained.best_epoch,
            time.perf_counter() - started,
            {name: str(why) for name, why in left.items()},
        )

    # The prompts that they give

    def prompt(self, name: str, seed: int) -> Artifact:
        path, learner = self.study.paths.prompt(self.method, seed, name), self.study.paths.shared(self.method, seed)
        inputs = partial(self.given_inputs, name, seed)
        return Artifact(f"prompts {self.method}", path, PROMPT, inputs, (name, seed), lambda: {"method": self.method}, (learner,))

    def given_inputs(self, name: str, seed: int) -> dict[str, str]:
        """Everything that determines the prompt that a learner gives a task, by name."""
        given, learner = learner_file.prompt(self.study.paths.shared(self.method, seed), name)
        return {"learner": learner, "task": name, "prompt": given.fingerprint()}

    def give(self, wanted: Sequence[tuple[str, int]]) -> list[tuple[TunedPrompt, dict[str, str]]]:
        given = [learner_file.prompt(self.study.paths.shared(self.method, seed), name)[0] for name, seed in wanted]
        return [
            (prompt, {"task": name, "seed": str(seed)} | self.card(name, seed, prompt))
            for prompt, (name, seed) in zip(given, wanted, strict=True)
        ]

    def card(self, name: str, seed: int, given: TunedPrompt) -> dict[str, str]:
        """What a prompt's file says to those who take it away; nothing of it is part of a fingerprint."""
        tasks, score = self.parted(seed).sound, given.history[given.best_epoch - 1]["validation_score"]
        return card.write(
            method=given.method,
            settings=self.settings,
            backbone={"name": self.study.backbone.name, "sha256": self.at.model.fingerprint},
            precision=self.at.model.precision,
            task=name,
            learned_with=[other for other in tasks if other != name],
            class_names=list(tasks[name].prepared.task.class_names),
            resize=self.study.data.resize_of(name),
            seed=seed,
            draw=card.several_draws([task.draws[seed] for task in tasks.values()], self.study.shots),
            validation={"metric": card.MEAN, "score": score, "epoch": given.best_epoch},
        )

    # Scores

    def score(self, name: str, seed: int) -> Artifact:
        path, learner = self.study.paths.score(self.method, seed, name), self.study.paths.shared(self.method, seed)
        return Artifact(
            f"scores {self.method}", path, SCORE, partial(self.score_inputs, name, seed), (name, seed),
            lambda: {"method": self.method, "seed": seed, "target": name, "metric": self.at.metric_of(name)}, (learner,),
        )  # fmt: skip

    def score_inputs(self, name: str, seed: int) -> dict[str, str]:
        """Everything that determines the score of a learner on a task, by name."""
        task = described(self.at, name)
        mark = learner_file.class_weights(self.study.paths.shared(self.method, seed), name)[1]
        return {"learner": mark, "target": name} | task.tested_on() | numerics(self.at.model)

    def measure(self, wanted: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        return [self._measure(*one) for one in wanted]

    def _measure(self, name: str, seed: int) -> dict[str, Any]:
        path, started, model = self.study.paths.shared(self.method, seed), time.perf_counter(), self.at.model
        weights, about = learner_file.class_weights(path, name)[0], learner_file.metadata(path)
        logits = model.logit_scale * self.known[name].test @ weights.to(model.device).T
        left = learner_file.left_out(about)
        seconds = float(about["seconds"]) / (len(self.study.tasks) - len(left)) + time.perf_counter() - started
        content = scored(self.method, seed, self.known[name], logits, seconds, epoch=int(about["best_epoch"]))
        return content | ({"left_out": sorted(left)} if left else {})
