"""What a configuration takes from its model before anything runs: how images are seen, and which methods its towers serve."""

import pytest

from promptatlas.backbone import preprocessing
from promptatlas.base.errors import UserError
from promptatlas.study import configuration
from promptatlas.study.study import Study


def complete(model, pretrained, **more):
    return configuration.complete({"study": "s", "backbone": {"model": model, "pretrained": pretrained}, "methods": ["coop"], **more})


@pytest.mark.parametrize(
    ("model", "pretrained", "resize", "interpolation"),
    [
        ("mini", "mini", "crop", "bicubic"),
        ("ViT-B-16", "openai", "crop", "bicubic"),
        ("ViT-B-16-SigLIP", "webli", "squash", "bicubic"),
        ("ViT-H-14", "laion2b_s32b_b79k", "crop", "bicubic"),
        ("ViT-H-14-quickgelu", "dfn5b", "squash", "bicubic"),
        ("convnext_base", "laion400m_s13b_b51k", "crop", "bicubic"),
        ("PE-Core-T-16-384", "meta", "squash", "bilinear"),
        ("MobileCLIP-B", "datacompdr", "crop", "bilinear"),
    ],
)
def test_images_are_fitted_as_the_weights_have_it(model, pretrained, resize, interpolation):
    config = complete(model, pretrained)
    assert config["resize"] == resize
    assert Study(config).backbone.interpolation == interpolation


def test_what_the_user_says_of_images_holds():
    assert complete("PE-Core-T-16-384", "meta", resize="crop")["resize"] == "crop"


def test_a_file_without_a_description_is_seen_as_all_published_weights_of_its_model_are(tmp_path):
    (tmp_path / "mine.safetensors").touch()
    seen = preprocessing.chosen("PE-Core-T-16-384", str(tmp_path / "mine.safetensors"))
    assert seen == preprocessing.Preprocessing((0.5,) * 3, (0.5,) * 3, "bilinear", "squash")
    other = preprocessing.chosen("ViT-L-14", str(tmp_path / "mine.safetensors"))  # whose weights do not agree on their colours
    assert (other.mean, other.resize) == (preprocessing.CLIP["mean"], "crop")


def test_a_way_to_scale_images_that_is_unknown_is_told(tmp_path):
    (tmp_path / "open_clip_config.json").write_text(
        '{"model_cfg": {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}, "preprocess_cfg": {"resize_mode": "longest"}}'
    )
    (tmp_path / "open_clip_model.safetensors").touch()
    with pytest.raises(UserError, match=r"`resize_mode: longest`; only shortest and squash are known"):
        preprocessing.chosen(f"local-dir:{tmp_path}", "")


@pytest.mark.parametrize("methods", [["vpt"], ["coop", "upt", "maple"]])
@pytest.mark.parametrize(
    ("model", "pretrained", "why"),
    [("convnext_base", "laion400m_s13b_b51k", "'convnext_base' from the timm library"), ("RN50", "openai", "a ResNet"),
     ("PE-Core-T-16-384", "meta", "'vit_pe_core_tiny_patch16_384' from the timm library"),
     ("ViT-B-16-SigLIP", "webli", "'vit_base_patch16_siglip_224'")],
)  # fmt: skip
def test_visual_prompts_are_refused_by_name_where_they_cannot_be_exact(methods, model, pretrained, why):
    with pytest.raises(UserError) as caught:
        complete(model, pretrained, methods=methods)
    named = " and ".join(method for method in methods if method != "coop")
    assert f"`methods` lists {named}, with prompts in the image tower" in str(caught.value) and why in str(caught.value)
