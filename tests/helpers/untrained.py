"""An untrained CLIP of two layers, for tests in which it does not matter what it answers."""

from pathlib import Path

VISION = {"image_size": 32, "patch_size": 16, "width": 64, "layers": 1, "head_width": 32}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}


def write(folder: Path) -> None:
    """Its weights and its architecture, as a study has them, into a new folder."""
    import torch

    from promptatlas.backbone import export
    from promptatlas.backbone.architecture import Architecture

    torch.manual_seed(0)
    model = export.open_clip_model({"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT, "quick_gelu": False})
    architecture = Architecture(
        name="mini", pretrained="mini", embed_dim=32, quick_gelu=False, image_size=32, patch_size=16,
        vision_width=64, vision_layers=1, vision_heads=2, text_width=64, text_layers=1, text_heads=2,
        context_length=77, mean=(0.5,) * 3, std=(0.5,) * 3,
    )  # fmt: skip
    folder.mkdir(parents=True)
    export.write(architecture, model.state_dict(), folder)
