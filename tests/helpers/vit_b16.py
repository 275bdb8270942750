"""The architecture of ViT-B/16, for numbers that papers print."""

from promptatlas.backbone.architecture import Architecture

B16 = Architecture("ViT-B-16", "openai", 512, True, 224, 16, 768, 12, 12, 512, 12, 8, 77, (0.0,) * 3, (1.0,) * 3)
