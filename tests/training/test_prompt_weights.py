"""Class weights that adapters take from a prompt."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from naive_towers import NAMES, naive_text, tokenize
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import UserError
from promptatlas.methods import settings
from promptatlas.runs.adapt import Adapt
from promptatlas.training.adapters import class_weights
from promptatlas.training.learners import BatchedLearners


def test_class_weights_of_a_prompt_are_the_unit_features_of_its_sentences(tiny):
    model, backbone = tiny
    context = torch.randn(1, 1, 4, 64) * 0.3
    ours = class_weights(backbone, tuple(NAMES), Prompts(text=context, position="middle"))
    torch.testing.assert_close(ours, F.normalize(naive_text(model, NAMES, context[0], "middle"), dim=-1), atol=1e-5, rtol=1e-5)


def test_a_prompt_that_spells_the_template_gives_the_templates_weights(tiny_backbone):
    """Prompt-Adapter with the words of "a photo of a" is Tip-Adapter with that template."""
    words = tiny_backbone.text.token_embedding(torch.tensor(tiny_backbone.tokenizer.encode("a photo of a")))
    ours = class_weights(tiny_backbone, tuple(NAMES), Prompts(text=words[None, None]))
    expected = tiny_backbone.class_features(tuple(NAMES), ("a photo of a {}.",))
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def test_a_prompt_that_changes_with_the_image_is_refused(tiny_backbone):
    prompts = BatchedLearners("cocoop", settings("cocoop"), tiny_backbone.architecture, [1], tiny_backbone).prompts()
    with pytest.raises(UserError, match="changes with the image"):
        class_weights(tiny_backbone, tuple(NAMES), prompts)


def test_task_res_takes_class_features_of_their_own_length_and_underscores_as_asked(tiny):
    """The mean over sentences of what the text tower gives; in the zero-shot weights each sentence has length one before and after."""
    model, backbone = tiny
    templates = ("a photo of a {}.", "the {}")

    def by_open_clip(names):
        return torch.stack([model.encode_text(tokenize([own.replace("{}", name) for name in names])) for own in templates])

    each = by_open_clip([name.replace("_", " ") for name in NAMES])
    task = SimpleNamespace(class_names=tuple(name.replace(" ", "_") for name in NAMES), templates=templates)
    at = SimpleNamespace(model=backbone, tasks={"things": SimpleNamespace(task=task)})
    study = SimpleNamespace(hand_written=lambda task: task)

    def raw(underscores):
        return Adapt._raw(SimpleNamespace(at=at, study=study, settings={"underscores": underscores}), "things")

    torch.testing.assert_close(raw("spaces"), each.mean(0), atol=1e-5, rtol=1e-5)
    assert raw("spaces").norm(dim=1).std() > 1e-3
    torch.testing.assert_close(
        backbone.class_features(task.class_names, templates), F.normalize(F.normalize(each, dim=-1).mean(0), dim=-1), atol=1e-5, rtol=1e-5
    )
    written = by_open_clip(task.class_names).mean(0)
    torch.testing.assert_close(raw("as_released"), written, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(written, each.mean(0), atol=1e-3)
