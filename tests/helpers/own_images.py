"""Folders of images as somebody may have them."""

import numpy as np
from PIL import Image

SHADES = {"black": 10, "grey": 128, "white": 245}


def folder_of_images(folder, classes=SHADES, splits=(), count=12):
    """Noisy images of one shade per class, in train/val/test folders or in none."""
    rng = np.random.default_rng(0)
    for split in splits or ("",):
        for name, shade in classes.items():
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                noise = rng.normal(shade, 30, (40, 56, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(noise).save(folder / split / name / f"{number}.jpg")
