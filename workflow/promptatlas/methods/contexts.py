"""Context vectors that start from words, as CoOp's release does it with "a photo of a"."""

from torch import Generator, Tensor, empty, nn


def split_words(settings: dict) -> tuple[str, str]:
    """The words that become the n trained vectors, and the words that stay after them as they are.

    With n = 2 and "a photo of a" the sentence is V_1 V_2 "of a" <class>. More vectors than words start at random, and
    then no word stays (MaPLe's release; CoOp's settings never come to that).
    """
    words, n = settings["initial"].split(), settings["context"]
    return (" ".join(words[:n]), " ".join(words[n:])) if n <= len(words) else ("", "")


def random_context(depth: int, n: int, width: int, generator: Generator) -> Tensor:
    """(depth, n, width) of N(0, 0.02^2)."""
    return nn.init.normal_(empty(depth, n, width), std=0.02, generator=generator)
