"""Random CLIPs in open_clip's form and in ours, with the same weights."""

import torch

from promptatlas.backbone import export, load

TINY = {
    "embed_dim": 48,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 96, "layers": 3, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 3},
}
MEAN, STD = (0.48, 0.45, 0.40), (0.26, 0.26, 0.27)

torch.set_num_threads(1)  # the models are tiny; more threads only wait for each other


def twin(config: dict, folder):
    """(open_clip model, our Backbone) with one set of random weights, on which layer norms and biases count too."""
    torch.manual_seed(0)
    model = export.open_clip_model(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() == 1:
                value.add_(torch.randn_like(value) * 0.05)
    model.requires_grad_(False)
    export.write(export._architecture("random", "", config, MEAN, STD), model.state_dict(), folder)
    return model, load(folder)


