"""CLIP's byte-pair tokenizer read from `tokenizer.json`, without importing open_clip. Knows nothing of prompts.

The merges come from open_clip's vocabulary at export; the Rust `tokenizers` library applies them. Cleaning is CLIP's:
mis-encoded text mended, HTML entities resolved, spaces collapsed, lower case.
"""

from __future__ import annotations

import html
from functools import lru_cache
from pathlib import Path

import ftfy
from tokenizers import Regex, Tokenizer as Rust, models, pre_tokenizers

from promptatlas.errors import UserError

START, END = "<start_of_text>", "<end_of_text>"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def clean(text: str) -> str:
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return " ".join(text.split()).lower()


class Tokenizer:
    """`encode` gives the ids of a text without start and end token; `start` and `end` are their ids."""

    def __init__(self, rust: Rust) -> None:
        self._rust = rust
        self.start, self.end = rust.token_to_id(START), rust.token_to_id(END)

    @staticmethod
    def read(path: Path) -> Tokenizer:
        if not path.exists():
            raise UserError(f"{path} is missing; delete its folder and run again.")
        return Tokenizer(Rust.from_file(str(path)))

    @staticmethod
    def from_merges(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
        rust = Rust(models.BPE(vocabulary, merges, end_of_word_suffix="</w>", continuing_subword_prefix=""))
        words = pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True)
        rust.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(False, use_regex=False)])
        return Tokenizer(rust)

    def write(self, path: Path) -> None:
        self._rust.save(str(path))

    @lru_cache(maxsize=65536)  # noqa: B019 (a tokenizer lives as long as its process)
    def encode(self, text: str) -> list[int]:
        return self._rust.encode(clean(text), add_special_tokens=False).ids
