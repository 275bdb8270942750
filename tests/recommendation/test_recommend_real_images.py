"""A folder of photographs as somebody brings it, with the embedded model. Skipped where the images are not at hand."""

from pathlib import Path

import pytest

import promptatlas
from promptatlas import backbone
from promptatlas.backbone import export
from promptatlas.methods import settings
from promptatlas.records import card
from promptatlas.training.single_task import scratch

CLOTHES = Path(__file__).parents[3] / "shared" / "realdata" / "clothing_small"


@pytest.mark.skipif(not CLOTHES.exists(), reason="the real images are not beside this checkout")
def test_photographs_are_tried_with_the_embedded_model_that_is_found_by_itself(tmp_path):
    """A folder of prompts without a backbone: what is written classifies all the same."""
    export.export("mini", "mini", tmp_path / "model")
    model = backbone.load(tmp_path / "model")
    for seed in (1, 2):
        chosen = settings("coop", None, "mini")
        told = card.write(method="coop", settings=chosen, backbone={"name": "mini", "sha256": model.fingerprint}, task="any", seed=seed)
        scratch(model, "coop", chosen, seed).save(tmp_path / f"prompts of others/{seed}.safetensors", told)
    found = promptatlas.recommend(CLOTHES, tmp_path / "prompts of others", shots=4, margin=-100, output=tmp_path / "out")
    assert len(found.target.labels) == 40 and found.target.available == 520 and found.backbone is None
    assert "its folder holds 3 other files and folders besides images, left out: LICENSE, README.txt, test/" in found.lines
    if found.prompt:
        image = next((CLOTHES / "test/hat").iterdir())
        assert promptatlas.load_prompt(found.prompt).classifier()(image).labels[0] in found.target.task.class_names
