"""Messages, page and documentation speak the field's words, and a class name stands for one thing."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "workflow" / "promptatlas"

# What is said instead: image, CPU, failed or missing, trained or tuned, batched learners, microbenchmark, base and new classes.
OLD = re.compile(r"\b(pictures?|processors?|holes?|learn(?:s|ed|t)?|populations?|trials?|halves)\b", re.I)
# Where the word is a name that files, anchors or other people have, or means something else.
KEPT = (
    "scikit-learn",
    "easier to learn",  # of a task, not of a prompt
    "**holes**", "| holes |", "null `holes`",  # a kind of made-up study: it names its random numbers and a column
    "#holes",  # the anchor of a section in pages that exist
    "less the polygons `holes`", "the ring keeps its hole",  # in a drawing
    "study: pictures",  # the name of a ready study and of its folder of results
    "in halves if it does not fit", "halves back to their towers",
    "a picture of", "a small picture of", "in the {} of the picture",  # what models read: templates, captions of pretraining
)  # fmt: skip


def documents() -> list[Path]:
    texts = [path for suffix in ("md", "smk", "js", "html", "css") for path in (ROOT / "workflow").rglob(f"*.{suffix}")]
    settings = [*(ROOT / "workflow" / "studies").glob("*.yaml"), *(ROOT / "workflow" / "schemas").glob("*.yaml")]
    own = [ROOT / name for name in ("config.yaml", "CITATION.cff", "Snakefile")]
    notebooks = (ROOT / "notebooks").glob("*.ipynb")
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *notebooks, *texts, *settings, *own])


def modules() -> list[Path]:
    return sorted((ROOT / "workflow").rglob("*.py"))


class Module(NamedTuple):
    """What is said in a module: the texts in which there is more than a name, and the classes that it defines."""

    messages: str
    classes: tuple[str, ...]


@cache
def module(path: Path) -> Module:
    tree = ast.parse(path.read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    classes = (node.name for node in tree.body if isinstance(node, ast.ClassDef))
    return Module("\n".join(text for text in texts if " " in text), tuple(classes))


def said(path: Path) -> str:
    return module(path).messages if path.suffix == ".py" else path.read_text()


def found(text: str) -> list[str]:
    for kept in KEPT:
        text = text.replace(kept, "")
    return [text[max(match.start() - 40, 0) : match.end() + 40] for match in OLD.finditer(text)]


def test_every_text_speaks_the_words_of_the_field() -> None:
    paths = [*documents(), *modules()]
    assert {str(path.relative_to(ROOT)): words for path in paths if (words := found(said(path)))} == {}
    assert len(paths) > 300


def test_a_word_of_old_is_found_where_it_stands() -> None:
    assert len(found("two pictures, a hole and what was learned with scikit-learn")) == 3


def test_every_exception_is_still_needed() -> None:
    whole = "\n".join(map(said, [*documents(), *modules()]))
    assert [kept for kept in KEPT if kept not in whole] == []


def test_a_class_name_stands_for_one_thing() -> None:
    names = Counter(name for path in modules() if path.is_relative_to(LIBRARY) for name in module(path).classes)
    assert [name for name, count in names.items() if count > 1] == []
