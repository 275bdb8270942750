"""Tiny models of the transformers library: which files it writes of them, and what they answer to drawn weights.

Its answers are stored (`stored`), because nothing here needs that library. `python tests/helpers/transformers_golden.py`, where it is
installed, makes them again; the stored ones are of transformers 5.24 and torch 2.15.
"""

import json
from pathlib import Path

import numpy as np

PLACE = Path(__file__).parent / "transformers_golden.json"
SENTENCES = ["a photo of a cat.", "a satellite photo of annual crop land."]
_VISION = {"hidden_size": 48, "intermediate_size": 100, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 32, "patch_size": 8}
_TEXT = {"hidden_size": 32, "intermediate_size": 70, "num_hidden_layers": 2, "num_attention_heads": 2}
_TANH = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}
MODELS = {
    "quick_gelu": {"projection_dim": 24, "text_config": _TEXT, "vision_config": _VISION},
    "gelu": {
        "projection_dim": 24, "text_config": _TEXT | {"hidden_act": "gelu", "eos_token_id": 2, "max_position_embeddings": 40},
        "vision_config": _VISION | {"hidden_act": "gelu"},
    },
    "siglip": {
        "text_config": _TEXT | _TANH | {"vocab_size": 60, "max_position_embeddings": 12, "projection_size": 48},
        "vision_config": _VISION | _TANH,
    },
}  # fmt: skip


def stored() -> dict:
    """By model: `config` as the library writes it, `shapes` of its weights by their names, `ids`, and the features `text` and `images`."""
    return json.loads(PLACE.read_text())


def weights(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """By name, of a kind with which every weight counts in the answers."""
    rng, drawn = np.random.default_rng(7), {}
    for name in sorted(shapes):
        shape = shapes[name]
        values = rng.standard_normal(shape, dtype=np.float32)
        spread = 0.1 if len(shape) < 2 else np.prod(shape[1:]) ** -0.5
        drawn[name] = np.float32(values * spread + (name.endswith("weight") and len(shape) == 1))
    return drawn


def images() -> np.ndarray:
    """(2, 3, 32, 32)."""
    return np.random.default_rng(8).standard_normal((2, 3, 32, 32), dtype=np.float32)


def _made(name: str, folder: Path) -> dict:
    import open_clip
    import torch
    import transformers

    config, model = (
        (transformers.SiglipConfig, transformers.SiglipModel) if name == "siglip" else (transformers.CLIPConfig, transformers.CLIPModel)
    )
    torch.manual_seed(0)
    both = model(config(**MODELS[name])).eval()
    shapes = {key: list(value.shape) for key, value in both.state_dict().items()}
    both.load_state_dict({key: torch.as_tensor(value) for key, value in weights(shapes).items()})
    if name == "siglip":
        ids = np.random.default_rng(9).integers(2, 60, (2, 12)).tolist()
        padded = torch.tensor(ids)
    else:
        padded = open_clip.get_tokenizer("ViT-B-32")(SENTENCES)
        ids = [row[: row.index(49407) + 1] for row in padded.tolist()]
        padded = padded[:, : MODELS[name]["text_config"].get("max_position_embeddings", 77)]
    with torch.no_grad():
        out = both(input_ids=padded, pixel_values=torch.as_tensor(images()))
        text = both.get_text_features(input_ids=padded)
        seen = both.get_image_features(pixel_values=torch.as_tensor(images()))
    text, seen = (own if isinstance(own, torch.Tensor) else own.pooler_output for own in (text, seen))
    assert torch.allclose(torch.nn.functional.normalize(text, dim=-1), out.text_embeds, atol=1e-6)
    assert torch.allclose(torch.nn.functional.normalize(seen, dim=-1), out.image_embeds, atol=1e-6)
    both.save_pretrained(folder)
    from safetensors.numpy import load_file

    written = {key: list(value.shape) for key, value in load_file(folder / "model.safetensors").items()}
    assert written == shapes, "the library writes other names than it has"
    rounded = {key: [[round(float(one), 6) for one in row] for row in value] for key, value in (("text", text), ("images", seen))}
    return {"config": json.loads((folder / "config.json").read_text()), "shapes": shapes, "ids": ids, **rounded}


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        PLACE.write_text(json.dumps({name: _made(name, Path(place) / name) for name in MODELS}, separators=(",", ":")) + "\n")
