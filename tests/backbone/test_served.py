"""Every pretrained name of the installed open_clip is listed, with which prompts it takes, and the command prints it."""

import csv
import io

import open_clip
import pytest

from promptatlas.backbone import served
from promptatlas.cli.command import main

ROWS = {(row.model, row.pretrained): row for row in served.every()}


def test_all_weights_that_open_clip_publishes_are_listed_once():
    assert sorted(ROWS) == sorted(open_clip.list_pretrained()) and len(served.every()) == len(ROWS)


def test_nothing_is_refused_but_text_towers_of_another_library():
    refused = {model for (model, _), row in ROWS.items() if row.prompts == served.NONE}
    assert refused == {model for model, _ in ROWS if "hf_model_name" in open_clip.get_model_config(model)["text_cfg"]}


def test_visual_prompts_enter_vision_transformers_that_are_clips_and_no_others():
    for (model, _), row in ROWS.items():
        config = open_clip.get_model_config(model)
        vision, about = config["vision_cfg"], row.prompts
        plain = isinstance(vision.get("layers"), int) and vision.keys().isdisjoint({"timm_model_name", "attentional_pool"})
        name = vision.get("timm_model_name", "")
        plain |= name.startswith("vit_") and "_clip_" in name  # what timm calls CLIP's vision transformers
        if about != served.NONE:
            assert (about == served.ALL) == plain, model
        assert bool(row.reason) == (about != served.ALL), model


def test_the_counts_are_those_of_the_listed_kinds():
    """Of open_clip 3.3: 80 ViT, 5 worldwide, 7 CLIPA and MobileCLIP2-L-14; 16 ResNet, 26 SigLIP, 42 with CLIP's words, 6 MobileCLIP-S, 4
    CoCa; 9 refused."""
    if open_clip.__version__.startswith("3.3"):
        assert served.counted(served.every()) == "187 of 196 published weights take text prompts, and 93 of them visual prompts, too."


def test_images_are_seen_as_open_clips_own_preprocessing_has_them():
    for (model, tag), row in ROWS.items():
        said = open_clip.get_pretrained_cfg(model, tag)
        assert (row.resize, row.interpolation) == ({"shortest": "crop", "squash": "squash"}[said["resize_mode"]], said["interpolation"])
        assert row.image_size == open_clip.get_model_config(model)["vision_cfg"]["image_size"]


def run(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["models", *words])
    return ended.value.code, capsys.readouterr()


def test_the_command_lists_some_or_all_for_people_and_for_machines(capsys):
    code, said = run(capsys, "--csv")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert code == 0 and len(rows) == len(ROWS)
    assert {(row["model"], row["pretrained"]): row["prompts"] for row in rows} == {key: row.prompts for key, row in ROWS.items()}
    code, said = run(capsys, "pe-core-t")
    assert code == 0 and "PE-Core-T-16-384  meta     text     384 px, squash, bilinear" in said.out
    assert "PE-Core-T-16-384: its image tower is 'vit_pe_core_tiny_patch16_384' from the timm library" in said.out
    code, said = run(capsys, "nothing")
    assert code == 1 and "no weights of a model with 'nothing' in its name" in said.err
