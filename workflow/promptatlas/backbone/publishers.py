"""Tokenizers that are not CLIP's, from the files that their publishers keep, and whether one that should be CLIP's is."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Rust

from promptatlas.backbone import tokenizer_files
from promptatlas.backbone.hub import Repository
from promptatlas.backbone.parts import CLIPA, SIGLIP
from promptatlas.backbone.tokenizer import ClipaTokenizer, PublishersTokenizer, SiglipTokenizer, Tokenizer
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line


def tokenizer(tower: str, text: Mapping[str, Any], folder: Path) -> tuple[PublishersTokenizer, str]:
    """From its `files`, and the SHA-256 of what they say of words.

    tower: of `parts.FOREIGN_WORDS`. Raises UserError if they cannot be fetched or read.
    """
    found = files(tower, text, folder)
    try:
        content = found[0].read_bytes()
        rust, digest = Rust.from_buffer(content), hashlib.sha256(content)
        if tower != SIGLIP:
            return (ClipaTokenizer(rust) if tower == CLIPA else PublishersTokenizer(rust)), digest.hexdigest()
        token = json.loads(found[1].read_text())["pad_token"]
        token = token["content"] if isinstance(token, dict) else token
        digest.update(token.encode())
        return SiglipTokenizer.padded(rust, token, text["context_length"]), digest.hexdigest()
    except Exception as error:  # `tokenizers` raises bare Exceptions
        raise _unreadable(tower, text, one_line(error)) from error


def files(tower: str, text: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Those that the tokenizer of a text tower is made from: beside the weights or, if they are not all there, of the repository that
    `text` names, from the hub's cache or from the hub. None where the tokenizer is CLIP's. Raises UserError if they cannot be fetched.
    """
    if found := tokenizer_files.beside(tower, folder):
        return found
    try:
        brought = [Repository(text["hf_tokenizer_name"]).brought([name]) for name in tokenizer_files.needed(tower)]
    except UserError as error:
        raise _unreadable(tower, text, one_line(error)) from error
    if None in brought:
        raise _unreadable(tower, text, "the hub does not have all of it")
    return tuple(path for path in brought if path)


def _unreadable(tower: str, text: Mapping[str, Any], reason: str) -> UserError:
    names = " and ".join(tokenizer_files.needed(tower))
    return UserError(
        f"backbone: the tokenizer {text['hf_tokenizer_name']!r} cannot be read ({reason}); put whole {names} beside the weights."
    )


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
