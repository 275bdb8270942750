"""Settings that several methods have, and the presets. Knows nothing of any method."""

from __future__ import annotations

from promptatlas.methods.setting import Setting

# MVLPT: configs/trainers/MVLPT/vit_b16.yaml and Dassl's defaults (200 epochs for every number of shots).
TUNING = {
    "optimizer": Setting("sgd", "what takes the steps", choices=("sgd", "adamw", "adam")),
    "learning_rate": Setting(0.002, "after the warm-up, falling along a cosine"),
    "epochs": Setting(200, "passes over the few-shot images"),
    "batch_size": Setting(32, "images per step"),
    "momentum": Setting(0.9, "of sgd", zero=True),
    "weight_decay": Setting(5e-4, "on everything that is trained", zero=True),
    "warmup_epochs": Setting(1, "epochs at the warm-up's rate", zero=True),
    "warmup_learning_rate": Setting(1e-5, "of these epochs", zero=True),
    "select": Setting("best_validation", "which epoch is kept", choices=("best_validation", "last")),
    "last_batch": Setting("used", "of an epoch, if it is smaller than the others", choices=("used", "dropped"), unsaid="used"),
}

# Of what is trained on one task's images, and not on their features alone.
IMAGES = {
    "augmentation": Setting(
        "none", "training images as they are, or cropped and flipped at random in every epoch", choices=("none", "crops_and_flips"),
        unsaid="none",
    ),
}  # fmt: skip

# What replaces these values, by name, where a method has them. "paper" is the authors' own; "released" has what releases built on Dassl do
# and papers seldom say; the small embedded backbone settles sooner (docs/log.md).
PRESETS: dict[str, dict[str, object]] = {
    "paper": {},
    "released": {"select": "last", "last_batch": "dropped", "augmentation": "crops_and_flips"},
    "mini": {"optimizer": "adamw", "learning_rate": 0.01, "epochs": 30, "batch_size": 32, "select": "best_validation"},
}

# What a method's module reads, or the training reads beside it: `position` and `template` become fields of its prompts.
COMMON = {
    **TUNING,
    **IMAGES,
    "context": Setting(16, "context vectors"),
    "initial": Setting("", "words the context starts from; none: random"),
    "position": Setting("end", "place of the class name among the context vectors", choices=("end", "middle", "front")),
    "prompts": Setting(16, "prompt tokens in a layer of the image tower"),
    "depth": Setting("deep", "prompts in every layer, or in the first alone", choices=("deep", "shallow")),
    "layers": Setting(9, "layers with prompts, from the first"),
    "epsilon": Setting(1e-8, "of adam and adamw, added to the root of the mean square of gradients"),
    "template": Setting("a photo of a {}.", "the fixed sentence of the text tower", holds="{}"),
}
