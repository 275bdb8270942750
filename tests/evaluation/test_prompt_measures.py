"""Measures of prompts against naive re-statements, and what the model does under prompts against its own answers."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from naive_towers import naive_text, naive_vision, tokenize
from promptatlas.backbone import encode
from promptatlas.evaluation import evaluate, similarity
from promptatlas.evaluation.behaviour import behaviours
from promptatlas.evaluation.similarity import Behaviour
from promptatlas.evaluation.similarity.prompt import debiased_cka, mean_token, mean_unit_token, overlap, whole
from promptatlas.methods import settings
from promptatlas.training import single_task
from small_tasks import SMALL, write_task
from synthetic_study import encoded_tasks
from twins import TINY, twin


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


@pytest.mark.parametrize("method", ["coop", "vpt", "upt"])
def test_active_units_are_those_of_open_clips_last_block(method, tmp_path):
    """At the end token of every class name, and at the class token of every image, of a model with the same weights."""
    model, own = twin(TINY | {"quick_gelu": False}, tmp_path / "twin")
    task = write_task(tmp_path)
    images, names = np.asarray(task.images("train")[np.arange(5)]), task.task.class_names
    features = encode.encode_task(own, task, ["features_train"])["features_train"][:5]
    prompt = single_task.scratch(own, method, settings(method, SMALL, "mini"), 1).prompts
    (found,) = behaviours(own, {"a": names}, {"a": images}, {"a": features}, [prompt])
    expected = []
    if prompt.text is not None:
        seen = watched(model.transformer, lambda: naive_text(model, [*names], prompt.text[0], prompt.position))
        ends = [int(tokenize("X " * prompt.text.shape[2] + name.replace("_", " ") + ".")[0].argmax()) for name in names]
        expected.append(seen[np.arange(len(names)), ends] > 0)
    if prompt.visual is not None:
        expected.append(watched(model.visual.transformer, lambda: naive_vision(model, own.vision.read(images), prompt.visual[0]))[:, 0] > 0)
    assert len(found.active) == len(expected)
    for bits, units in zip(found.active, expected, strict=True):
        assert (np.unpackbits(bits, axis=1) == units).all() and 0.05 < units.mean() < 0.95
    assert own.text.transformer.resblocks[-1].mlp.activation is own.text.transformer.resblocks[0].mlp.activation


def watched(transformer, run) -> np.ndarray:
    """What enters the activation of the last block while `run` runs, (N, L, H)."""
    seen = []
    handle = transformer.resblocks[-1].mlp.c_fc.register_forward_hook(lambda module, given, out: seen.append(out))
    with torch.no_grad():
        run()
    handle.remove()
    return seen[0].numpy()


def test_overlap_of_active_units_is_counted_as_sets():
    rng = np.random.default_rng(0)
    units = rng.random((3, 2, 7, 40)) < 0.3  # prompts, towers, things, units
    own = [Behaviour(None, None, {}, tuple(np.packbits(tower, axis=1) for tower in one)) for one in units]
    sets = [[[{*np.flatnonzero(row)} for row in tower] for tower in one] for one in units]

    def cosine_of(a, b):
        return np.mean([[len(x & y) / np.sqrt(len(x) * len(y)) for x, y in zip(*towers, strict=True)] for towers in zip(a, b, strict=True)])

    (found,) = closeness(["pr_on"], [{}] * 3, behaviours=own)
    assert found == pytest.approx(np.array([[cosine_of(a, b) for b in sets] for a in sets]))
    nothing = np.packbits(np.zeros((1, 8), dtype=bool), axis=1)
    assert (
        overlap(nothing, nothing) == 0
        and overlap(np.uint8([[7]]), np.uint8([[56]])) == 0
        and overlap(np.uint8([[7]]), np.uint8([[7]])) == 1
    )
    (gaps,) = closeness(["pr_on"], [{}] * 2, behaviours=[own[0], Behaviour(None, None, {})])
    assert gaps[0, 0] == pytest.approx(1) and np.isnan([gaps[0, 1], gaps[1, 0], gaps[1, 1]]).all()
