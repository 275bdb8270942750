"""Text to token ids as a model was trained, read from `tokenizer.json`, without importing open_clip. Knows nothing of
prompts.

CLIP's merges come from open_clip's vocabulary at export, all others' whole tokenizers from their publishers; the Rust
`tokenizers` library applies them. All clean a text first: mis-encoded text mended, HTML entities resolved, spaces
collapsed; CLIP's and SigLIP's lower case, SigLIP's without punctuation.
"""

from __future__ import annotations

import html
import string
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import ftfy
from tokenizers import Regex, Tokenizer as Rust, models, pre_tokenizers

from promptatlas.base.errors import UserError

START, END = "<start_of_text>", "<end_of_text>"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_PUNCTUATION = str.maketrans("_", " ", string.punctuation.replace("_", ""))


def clean(text: str) -> str:
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return " ".join(text.split()).lower()


class Tokenizer:
    """CLIP's. `encode` gives the ids of a text without start and end token; `start` and `end` are their ids."""

    def __init__(self, rust: Rust) -> None:
        self._rust = rust
        ends: tuple[Any, Any] = rust.token_to_id(START), rust.token_to_id(END)  # every vocabulary of CLIP has both
        self.start, self.end = ends

    @classmethod
    def read(cls, path: Path) -> Tokenizer:
        if not path.exists():
            raise UserError(f"{path} is missing; delete its folder and run again.")
        return cls._parsed(path.read_bytes())

    @classmethod
    @lru_cache(maxsize=2)
    def _parsed(cls, content: bytes) -> Tokenizer:
        """One object for all models with the same words: to parse them takes as long as to load a small model."""
        return cls(Rust.from_buffer(content))

    @staticmethod
    def from_merges(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
        rust = Rust(models.BPE(vocabulary, merges, end_of_word_suffix="</w>", continuing_subword_prefix=""))
        words = pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True)
        rust.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(False, use_regex=False)])
        return Tokenizer(rust)

    def write(self, path: Path) -> None:
        self._rust.save(str(path))

    def vocabulary(self) -> dict[str, int]:
        """Id of every word, with those of the start and the end."""
        return self._rust.get_vocab()

    def encode(self, text: str) -> list[int]:
        return self._remembered(text)

    @cached_property
    def _remembered(self) -> Callable[[str], list[int]]:
        """By text; it goes when the tokenizer goes, where a cache of the class would keep both."""
        return lru_cache(maxsize=65536)(lambda text: self._rust.encode(self.clean(text), add_special_tokens=False).ids)

    def clean(self, text: str) -> str:
        return clean(text)

    def sentence(self, ids: list[int]) -> list[int]:
        """What the text tower reads: ids of a text, or of text and context vectors, with what stands around them."""
        return [self.start, *ids, self.end]


class PublishersTokenizer(Tokenizer):
    """A whole tokenizer as its publisher has it, with what it puts around a text."""

    def __init__(self, rust: Rust) -> None:
        self._rust = rust
        rust.no_truncation()
        rust.no_padding()
        whole, text = rust.encode("a").ids, rust.encode("a", add_special_tokens=False).ids
        start = next(i for i in range(len(whole)) if whole[i : i + len(text)] == text)
        self._before, self._after = whole[:start], whole[start + len(text) :]

    def clean(self, text: str) -> str:
        return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split())

    def sentence(self, ids: list[int]) -> list[int]:
        return [*self._before, *ids, *self._after]


class ClipaTokenizer(PublishersTokenizer):
    """CLIPA's: BERT's, whose separator after the text is made padding."""

    def sentence(self, ids: list[int]) -> list[int]:
        return [*self._before, *ids, *(0 for _ in self._after)]


class SiglipTokenizer(PublishersTokenizer):
    """SigLIP's: an end token, then padding up to the length of the text tower, which the tower reads like any word."""

    def __init__(self, rust: Rust) -> None:
        """rust: with its publisher's special tokens and with padding to a fixed length; see `padded`."""
        self._padding: dict[str, Any] = rust.padding or {}
        super().__init__(rust)

    @staticmethod
    def padded(rust: Rust, token: str, length: int) -> SiglipTokenizer:
        """Padding with `token` to `length`. Raises KeyError if the vocabulary lacks it."""
        identifier = rust.token_to_id(token)
        if identifier is None:
            raise KeyError(token)
        rust.enable_padding(pad_id=identifier, pad_token=token, length=length)
        return SiglipTokenizer(rust)

    def write(self, path: Path) -> None:
        self._rust.enable_padding(**self._padding)
        self._rust.save(str(path))
        self._rust.no_padding()

    def clean(self, text: str) -> str:
        text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
        return " ".join(text.translate(_PUNCTUATION).lower().split())

    def sentence(self, ids: list[int]) -> list[int]:
        row = super().sentence(ids)
        return row + [self._padding["pad_id"]] * (self._padding["length"] - len(row))
