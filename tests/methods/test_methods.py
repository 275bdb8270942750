"""What each method is made of: counts, initial values, the coupling between its parts, its settings."""

import pytest
import torch

from promptatlas import methods
from promptatlas.base.errors import UserError
from promptatlas.base.rng import torch_rng
from promptatlas.methods import names, settings
from promptatlas.methods.registry import known
from promptatlas.training import single_task
from promptatlas.training.learners import BatchedLearners
from vit_b16 import B16


@pytest.mark.parametrize(("method", "count"), [("coop", 8_192), ("vpt", 147_456), ("upt", 566_400)])
def test_parameter_counts_on_vit_b16_are_the_papers(method, count):
    parameters = BatchedLearners(method, settings(method), B16, [1]).parameters
    assert sum(value.numel() for value in parameters.values()) == count


def test_initial_values_are_the_papers():
    context = BatchedLearners("coop", settings("coop", {"context": 400}), B16, [1]).parameters["context"]
    assert abs(context.std().item() - 0.02) < 2e-4 and abs(context.mean().item()) < 2e-4
    visual = BatchedLearners("vpt", settings("vpt"), B16, [1]).parameters["prompts"]
    assert visual.shape == (1, 12, 16, 768) and 0.0624 < visual.abs().max().item() <= 0.0625
    assert BatchedLearners("vpt", settings("vpt", {"depth": "shallow"}), B16, [1]).parameters["prompts"].shape == (1, 1, 16, 768)


def test_one_seed_gives_one_start_whoever_runs_beside_it():
    together, alone = BatchedLearners("upt", settings("upt"), B16, [3, 5]), BatchedLearners("upt", settings("upt"), B16, [5])
    for name, value in alone.parameters.items():
        assert torch.equal(together.parameters[name][1], value[0])
        assert value.std() == 0 or not torch.equal(together.parameters[name][0], value[0])


def mixed(mixer: str):
    learners = BatchedLearners("upt", settings("upt", {"mixer": mixer}), B16, [1])
    before = learners.prompts()
    with torch.no_grad():
        learners.parameters["context"][0, 0] += 1
    after = learners.prompts()
    return (before.text - after.text).abs().amax(-1)[0, 0], (before.visual - after.visual).abs().max()


def test_the_released_mixer_keeps_every_token_to_itself():
    text, visual = mixed("as_released")
    assert text[0] > 1e-3 and text[1:].max() == 0 and visual == 0


def test_the_joint_mixer_couples_text_and_vision():
    text, visual = mixed("joint")
    assert text.min() > 0 and visual > 0


def test_the_joint_mixer_is_torchs_own_attention():
    learners = BatchedLearners("upt", settings("upt", {"mixer": "joint"}), B16, [1])
    p = {name: value[0].detach() for name, value in learners.parameters.items()}
    attention = torch.nn.MultiheadAttention(128, 1, batch_first=True)
    attention.load_state_dict({k.removeprefix("block.attn."): v for k, v in p.items() if k.startswith("block.attn.")})
    linear, norm = torch.nn.functional.linear, torch.nn.functional.layer_norm
    h = torch.cat([linear(p["context"], p["text_in.weight"], p["text_in.bias"]),
                   linear(p["prompts"].flatten(0, 1), p["visual_in.weight"], p["visual_in.bias"])])[None]  # fmt: skip
    x = norm(h, (128,), p["block.ln_1.weight"], p["block.ln_1.bias"])
    h = h + attention(x, x, x, need_weights=False)[0]
    x = linear(norm(h, (128,), p["block.ln_2.weight"], p["block.ln_2.bias"]), p["block.mlp.c_fc.weight"], p["block.mlp.c_fc.bias"])
    h = h + linear(x * torch.sigmoid(1.702 * x), p["block.mlp.c_proj.weight"], p["block.mlp.c_proj.bias"])
    expected = linear(h[0, :4], p["text_out.weight"], p["text_out.bias"])
    torch.testing.assert_close(learners.prompts().text[0, 0], expected, atol=1e-5, rtol=1e-4)


def test_settings_are_complete_and_name_what_is_wrong():
    assert settings("coop")["epochs"] == 200 and settings("vpt", {"learning_rate": 1})["learning_rate"] == 1.0
    assert names()[:3] == ["coop", "vpt", "upt"]
    for method, override, message in [
        ("coop", {"learning_rat": 1}, "settings.coop.learning_rat: unknown setting; did you mean 'learning_rate'?"),
        ("coop", {"epochs": -1}, "settings.coop.epochs: -1 must be above zero."),
        ("vpt", {"epochs": 1.5}, "must be a whole number"),
        ("upt", {"mixer": "both"}, "'both' is not one of as_released, joint"),
        ("vpt", {"template": "a photo"}, "with {} for the class name"),
        ("cop", {}, "unknown method 'cop'; did you mean 'coop'?"),
    ]:
        with pytest.raises(UserError) as caught:
            settings(method, override)
        assert message in str(caught.value)


def test_coop_from_words_starts_as_the_hand_written_prompt(tiny_backbone):
    from promptatlas.backbone.classifier import PromptedClassifier

    about = settings("coop", {"context": 4, "initial": "a photo of a", "position": "end"})
    prompts = single_task.scratch(tiny_backbone, "coop", about, 1).prompts
    names = ("cat", "a red panda", "dog")
    features = PromptedClassifier(tiny_backbone, names, prompts).class_features(prompts)[0]
    torch.testing.assert_close(features, tiny_backbone.class_features(names, ("a photo of a {}.",)), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        single_task.scratch(tiny_backbone, "coop", settings("coop"), 1).parameters["context"],
        torch.nn.init.normal_(torch.empty(16, 64), std=0.02, generator=torch_rng("initial", "coop", 1)),
    )


@pytest.mark.parametrize(
    ("method", "given", "context", "initial"),
    [
        ("coop", {"initial": "a photo of a"}, 4, "a photo of a"),
        ("cocoop", {"initial": "this is a nice photo"}, 5, "this is a nice photo"),
        ("coop", {"initial": "a photo of a", "context": 2}, 2, "a photo of a"),
        ("cocoop", {"context": 2}, 2, "a photo of a"),
        ("cocoop", {"context": 8}, 8, ""),
        ("coop", {"initial": ""}, 16, ""),
        ("coop", {}, 16, ""),
        ("maple", {"context": 8}, 8, "a photo of a"),  # MaPLe's release starts it at random
        ("maple", {"initial": "a nice photo of a"}, 2, "a nice photo of a"),
    ],
)
def test_coops_words_say_how_many_vectors_there_are(tiny_backbone, method, given, context, initial):
    """CoOp's and CoCoOp's releases: n is the number of words. No word that is asked for is left unused."""
    about = settings(method, given)
    assert (about["context"], about["initial"]) == (context, initial) and settings(method, about) == about
    prompts = single_task.scratch(tiny_backbone, method, about, 1).prompts
    words = initial.split() if context <= len(initial.split()) else []
    assert prompts.text.shape[2] == context and prompts.words.split() == words[context:]
    if words:
        ids = torch.tensor(tiny_backbone.tokenizer.encode(" ".join(words[:context])))
        assert torch.equal(prompts.text[0, 0], tiny_backbone.text.token_embedding(ids))


@pytest.mark.parametrize("method", ["coop", "cocoop"])
def test_more_vectors_than_words_are_refused_where_both_are_asked_for(method):
    words = f"settings.{method}.context: 16 vectors cannot start from the 4 words of settings.{method}.initial; leave out one"
    with pytest.raises(UserError, match=words):
        settings(method, {"initial": "a photo of a", "context": 16})


def test_the_registry_says_what_methods_do_that_takes_longer(tiny_backbone):
    """Class weights of its own for every image, vectors for every class, a frozen teacher. A forecast of costs reads it without the
    classes; both must say the same."""
    for method in names():
        prompts, about = single_task.scratch(tiny_backbone, method, settings(method), 1).prompts, known(method)
        assert methods.is_by_image(method) == bool(prompts.meta), method
        assert about.by_class == bool(prompts.class_net), method
        assert about.teacher == hasattr(methods.module_class(method), "teacher"), method
