"""Tokenizers that are not CLIP's, from the files that their publishers keep, and whether one that should be CLIP's is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from tokenizers import Tokenizer as Rust

from promptatlas.backbone.parts import CLIPA, SIGLIP
from promptatlas.backbone.tokenizer import ClipaTokenizer, PublishersTokenizer, SiglipTokenizer, Tokenizer
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line

NAMES = ("tokenizer.json", "tokenizer_config.json")
VOCABULARY = "vocab.json"  # of older versions of the transformers library


def tokenizer(words: str, text: Mapping[str, Any], folder: Path) -> PublishersTokenizer:
    """The files beside the weights or, if there are none, those of the repository that `text` names.

    words: of `parts.FOREIGN_WORDS`. Raises UserError if they cannot be fetched or read.
    """
    names = NAMES if words == SIGLIP else NAMES[:1]
    try:
        if not all((folder / name).is_file() for name in names):
            folder = [Path(hf_hub_download(text["hf_tokenizer_name"], name)).parent for name in names][-1]  # all of them
        rust = Rust.from_file(str(folder / NAMES[0]))
        if words != SIGLIP:
            return ClipaTokenizer(rust) if words == CLIPA else PublishersTokenizer(rust)
        token = json.loads((folder / NAMES[1]).read_text())["pad_token"]
        token = token["content"] if isinstance(token, dict) else token
        return SiglipTokenizer.padded(rust, token, text["context_length"])
    except Exception as error:  # `tokenizers` raises bare Exceptions, the hub many kinds
        raise UserError(
            f"backbone: the tokenizer {text['hf_tokenizer_name']!r} cannot be read ({one_line(error)}); put whole "
            f"{' and '.join(names)} beside the weights."
        ) from error


def require_clips(own: Tokenizer, folder: Path) -> None:
    """UserError if there is a tokenizer beside weights that has as many words as CLIP's (`own`), but others."""
    for name in (VOCABULARY, NAMES[0]):
        if not (folder / name).is_file():
            continue
        try:
            held = json.loads((folder / name).read_text())
            words = held if name == VOCABULARY else held["model"]["vocab"]
            found = {number: word for word, number in words.items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise UserError(f"backbone: {folder / name} is no readable tokenizer; fetch it again.") from error
        if any(found.get(number) != word for word, number in own.vocabulary().items() if number not in (own.start, own.end)):
            raise UserError(
                f"backbone: {folder / name} has other words than CLIP's tokenizer, which such models are read with; choose another."
            )
