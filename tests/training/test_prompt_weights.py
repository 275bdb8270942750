"""Class weights that adapters take from a prompt."""

import pytest
import torch
import torch.nn.functional as F

from naive_towers import NAMES, naive_text
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import UserError
from promptatlas.methods import settings
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
