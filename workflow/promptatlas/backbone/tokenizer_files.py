"""The files of a tokenizer as its publisher keeps it beside weights, by name and place. Knows nothing of what is in them."""

from pathlib import Path

from promptatlas.backbone.parts import FOREIGN_WORDS, SIGLIP

WHOLE, ABOUT = "tokenizer.json", "tokenizer_config.json"
VOCABULARY = "vocab.json"  # of older versions of the transformers library


def needed(tower: str) -> tuple[str, ...]:
    """What the tokenizer of a text tower (`parts`) is made from; nothing where it is CLIP's, which open_clip brings."""
    if tower not in FOREIGN_WORDS:
        return ()
    return (WHOLE, ABOUT) if tower == SIGLIP else (WHOLE,)


def beside(tower: str, folder: Path) -> tuple[Path, ...]:
    """These files in a folder; none if one is missing there, as then all are fetched from their publisher."""
    found = tuple(folder / name for name in needed(tower))
    return found if all(path.is_file() for path in found) else ()
