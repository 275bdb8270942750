"""Tokenizers that are not CLIP's, from the files that their publishers keep, and whether one that should be CLIP's is."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from tokenizers import Tokenizer as Rust

from promptatlas.backbone import tokenizer_files
from promptatlas.backbone.parts import CLIPA, SIGLIP
from promptatlas.backbone.tokenizer import ClipaTokenizer, PublishersTokenizer, SiglipTokenizer, Tokenizer
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line


def tokenizer(tower: str, text: Mapping[str, Any], folder: Path) -> tuple[PublishersTokenizer, str]:
    """From the files beside the weights or, if they are not all there, from those of the repository that `text` names; and the SHA-256
    of what they say of words.

    tower: of `parts.FOREIGN_WORDS`. Raises UserError if they cannot be fetched or read.
    """
    names = tokenizer_files.needed(tower)
    try:
        found = tokenizer_files.beside(tower, folder) or [Path(hf_hub_download(text["hf_tokenizer_name"], name)) for name in names]
        content = found[0].read_bytes()
        rust, digest = Rust.from_buffer(content), hashlib.sha256(content)
        if tower != SIGLIP:
            return (ClipaTokenizer(rust) if tower == CLIPA else PublishersTokenizer(rust)), digest.hexdigest()
        token = json.loads(found[1].read_text())["pad_token"]
        token = token["content"] if isinstance(token, dict) else token
        digest.update(token.encode())
        return SiglipTokenizer.padded(rust, token, text["context_length"]), digest.hexdigest()
    except Exception as error:  # `tokenizers` raises bare Exceptions, the hub many kinds
        raise UserError(
            f"backbone: the tokenizer {text['hf_tokenizer_name']!r} cannot be read ({one_line(error)}); put whole "
            f"{' and '.join(names)} beside the weights."
        ) from error


def require_clips(own: Tokenizer, folder: Path) -> None:
    """UserError if there is a tokenizer beside weights that has as many words as CLIP's (`own`), but others."""
    for name in (tokenizer_files.VOCABULARY, tokenizer_files.WHOLE):
        if not (folder / name).is_file():
            continue
        try:
            held = json.loads((folder / name).read_text())
            words = held if name == tokenizer_files.VOCABULARY else held["model"]["vocab"]
            found = {number: word for word, number in words.items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise UserError(f"backbone: {folder / name} is no readable tokenizer; fetch it again.") from error
        if any(found.get(number) != word for word, number in own.vocabulary().items() if number not in (own.start, own.end)):
            raise UserError(
                f"backbone: {folder / name} has other words than CLIP's tokenizer, which such models are read with; choose another."
            )
