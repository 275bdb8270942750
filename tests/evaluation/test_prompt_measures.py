"""Measures of prompts against naive re-statements, and what the model does under prompts against its own answers."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from promptatlas.backbone import encode
from promptatlas.evaluation import evaluate, similarity
from promptatlas.evaluation.behaviour import behaviours
from promptatlas.evaluation.similarity import Behaviour
from promptatlas.evaluation.similarity.prompt import debiased_cka, mean_token, mean_unit_token, whole
from promptatlas.methods import settings
from promptatlas.training import single_task
from small_tasks import SMALL, write_task
from synthetic_study import encoded_tasks


def prompts(rng, text=(1, 1, 4, 6), visual=(1, 3, 2, 5)):
    return {"text": rng.normal(size=text).astype(np.float32), "visual": rng.normal(size=visual).astype(np.float32)}


def closeness(names, given, **more):
    tasks = encoded_tasks(len(given))
    known = {key: {("upt", 1): value if key == "starts" else dict(zip(tasks, value, strict=True))} for key, value in more.items()}
    table = similarity.compute(tasks, names, {("upt", 1): dict(zip(tasks, given, strict=True))}, **known)
    return table["value"].to_numpy().reshape(len(names), len(given), len(given))


def test_cosine_of_mean_tokens_is_that_of_the_concatenated_means():
    a, b = (prompts(np.random.default_rng(seed)) for seed in (0, 1))
    means = [np.concatenate([own["text"].mean(2).ravel(), own["visual"].mean(2).ravel()]) for own in (a, b)]
    assert mean_token(a) == pytest.approx(means[0])
    assert closeness(["pr_cos_mean"], [a, b])[0, 0, 1] == pytest.approx(1 - cosine(*means), abs=1e-6)


def test_cosine_of_tokens_is_the_mean_over_all_pairs_of_a_layer():
    a, b = (prompts(np.random.default_rng(seed)) for seed in (0, 1))
    layers = [(a["text"][0, 0], b["text"][0, 0]), *zip(a["visual"][0], b["visual"][0], strict=True)]
    expected = np.mean([np.mean([[1 - cosine(x, y) for x in one] for y in other]) for one, other in layers])
    found = closeness(["pr_cos_tok"], [a, b])[0]
    assert found[0, 1] == pytest.approx(expected, abs=1e-6)
    assert found[0, 0] == pytest.approx((mean_unit_token(a) ** 2).sum()) and found[0, 0] < 1


def test_delta_is_seen_from_the_common_start():
    rng = np.random.default_rng(0)
    start, step = prompts(rng), prompts(rng)
    there, opposite = ({name: start[name] + sign * step[name] for name in start} for sign in (1, -1))
    found = closeness(["pr_delta", "pr_cos_mean"], [there, opposite, start], starts=start)
    assert found[0, 0, 1] == pytest.approx(-1, abs=1e-6) and found[0, 0, 0] == pytest.approx(1)
    assert np.isnan(found[0, 2]).all() and found[1, 0, 1] != pytest.approx(-1, abs=0.1)
    assert len(whole(start)) == 24 + 30


def u_centred(features):
    """Of the linear kernel (n, n), as Szekely and Rizzo (Annals of Statistics 2014) do with distances."""
    kernel, n = features @ features.T, len(features)
    np.fill_diagonal(kernel, 0)
    rows = kernel.sum(0) / (n - 2)
    centred = kernel - rows[:, None] - rows + kernel.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0)
    return centred


def test_cka_is_the_cosine_of_u_centred_kernels():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(9, 4)) + 2, rng.normal(size=(9, 7))
    other[:, :2] += one[:, :2]
    a, b = u_centred(one), u_centred(other)
    assert debiased_cka(one, other) == pytest.approx((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


def test_cka_ignores_rotation_scale_and_place_and_is_unbiased_for_unrelated_ones():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(12, 5))
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert debiased_cka(one, 3 * one @ turn + 7) == pytest.approx(1)
    found = [debiased_cka(*rng.normal(size=(2, 12, 60))) for _ in range(300)]
    assert abs(np.mean(found)) < 0.02
    assert np.isnan(debiased_cka(one[:3], one[:3])) and np.isnan(debiased_cka(one, np.ones((12, 2))))


def test_measures_of_behaviour_have_gaps_where_a_prompt_changes_nothing():
    rng = np.random.default_rng(0)
    names, logits = [*encoded_tasks(3)], rng.normal(size=(3, 3, 6, 4))
    own = [Behaviour(rng.normal(size=(8, 5)), None, dict(zip(names, logits[k], strict=True))) for k in range(3)]
    text, images, agree = closeness(["pr_cka_text", "pr_cka_img", "pr_agree"], [{}] * 3, behaviours=own)
    assert text[0, 1] == pytest.approx(debiased_cka(own[0].classes, own[1].classes)) and np.isnan(images).all()
    assert np.diag(agree) == pytest.approx(1) and (agree <= 1).all() and not np.allclose(agree, agree.T)


@pytest.mark.parametrize("method", ["coop", "vpt", "upt", "cocoop"])
def test_behaviour_is_what_the_model_answers(method, tiny_backbone, tmp_path):
    task = write_task(tmp_path)
    images, names = np.asarray(task.images("train")[np.arange(6)]), task.task.class_names
    features = encode.encode_task(tiny_backbone, task, ["features_train"])["features_train"][:6]
    own = settings(method, SMALL, "mini")
    both = [single_task.scratch(tiny_backbone, method, own, seed).prompts for seed in (1, 2)]
    more = (*names[:2], "yellow")
    found = behaviours(tiny_backbone, {"a": names, "b": more}, {"a": images, "b": images}, {"a": features, "b": features}, both)
    for prompt, one in zip(both, found, strict=True):
        expected = evaluate.answers(tiny_backbone, more, images, features, [prompt])[0]
        assert one.answers["b"] == pytest.approx(expected, abs=1e-4)
        assert (one.images is None) == (prompt.visual is None) and (one.classes is None) == (method in ("vpt", "cocoop"))
        if one.classes is not None:
            seen = features if one.images is None else one.images[6:]
            rows = [0, 1, 4]  # the class names of both, each once
            assert float(tiny_backbone.logit_scale) * seen @ one.classes[rows].T == pytest.approx(expected, abs=1e-4)
    assert torch.is_grad_enabled()
