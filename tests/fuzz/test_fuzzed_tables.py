"""Tables as text that come from others: printed matrices and scores, lists of class names, what an image of FER2013 is for."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from fuzzing import NASTY, cases, damaged, outcome
from hypothesis import given, strategies as st

from promptatlas.analysis import published
from promptatlas.cli import class_names
from promptatlas.tasks.readers import contents

MATRIX = "# printed\nmethod,source,target,ratio\n" + "".join(f"coop,{a},{b},0.{k}\n" for k, (a, b) in enumerate(["ab", "ba", "aa", "bb"]))
NAMES = ("method", "source", "target")
numbers = st.sampled_from(["0.5", "1", "-1", "2", "nan", "inf", "1e400", "", "a", "0,5", "0x1", "9" * 400, '"', "0.5,0.5"])
rows = st.lists(
    st.tuples(st.sampled_from(["coop", *NASTY[:30]]), st.sampled_from(["a", "b", *NASTY[:30]]), st.sampled_from("ab"), numbers), max_size=6
)


def settles(folder, content: bytes) -> None:
    """A matrix with numbers from 0 to 1 in it, each of another pair, or a sentence that names the file."""
    path = folder / "matrix.csv"
    path.write_bytes(content)
    found = outcome(folder, lambda: published.read(path, NAMES, "ratio", 1.0))
    if isinstance(found, str):
        assert "matrix.csv" in found
    else:
        assert found["ratio"].between(0, 1).all() and len(found) and not found[[*NAMES]].duplicated().any()
        assert isinstance(found, pd.DataFrame) and found["ratio"].dtype == np.float64


@cases(250)
@given(damaged(MATRIX.encode()))
def test_damaged_matrices(tmp_path_factory, content):
    settles(tmp_path_factory.getbasetemp(), content)


@cases(200)
@given(
    rows,
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from([MATRIX.splitlines()[1], "", "method,source", "ratio,ratio,ratio,ratio", "method,source,target,ratio,ratio"]),
)
def test_matrices_of_any_rows(tmp_path_factory, lines, comma, header):
    text = "\n".join([header, *map(comma.join, lines)])
    settles(tmp_path_factory.getbasetemp(), text.encode("utf-8", "replace"))


def test_the_matrices_that_are_shipped_are_whole():
    assert all(published.fig4(method).notna().all(axis=None) for method in published.methods())
    assert published.protocols()["score"].between(0, 1).all() and published.few_shot()["score"].between(0, 1).all()


@cases(120)
@given(damaged(b"emotion,pixels,Usage\n0,1 2 3,Training\n1,4 5 6,PublicTest\n2,7 8 9,PrivateTest\n"))
def test_uses_of_images(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp()
    (folder / "fer2013").mkdir(exist_ok=True)
    (folder / "fer2013" / "fer2013.csv").write_bytes(content)
    found = outcome(folder, lambda: contents.usage(SimpleNamespace(root=str(folder), _split="train")))
    assert "fer2013.csv" in found if isinstance(found, str) else set(found) <= {"Training"}


@cases(60)
@given(st.one_of(st.binary(max_size=60), damaged(b"cat\ndog\n")))
def test_lists_of_class_names(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "classes.txt"
    path.write_bytes(content)
    found = outcome(path.parent, lambda: class_names.read(path))
    assert "classes.txt" in found if isinstance(found, str) else all(name.strip() for name in found)
