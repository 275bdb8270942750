"""Matrices as files that anybody writes: each is read as what it says, or ends with one sentence that names it."""

import numpy as np
import pytest
from fuzzing import NASTY, cases, damaged, outcome
from hypothesis import given, strategies as st

from promptatlas.analysis.any_matrix import given as gathering, records, scales, table

LONG = b"# notes\nsource,target,seed,score,baseline\n" + b"".join(
    f"{a},{b},{s},0.{k}{s},.2\n".encode() for s in (1, 2) for k, (a, b) in enumerate((a, b) for a in "abcd" for b in "abcd")
)
SQUARE = b"\xef\xbb\xbf;a;b;c;d\na;0,5;0,25;;1\nb;,5;0,3;0,2;0,1\nc;0,1;0,2;0,3;0,4\nd;0,9;0,8;0,7;0,6\n"
cells = st.sampled_from(["0.5", "1", "-1", "2", "nan", "inf", "1e400", "", "a", "0,5", "50%", "0x1", "9" * 400, '"', "1e-300", "−3", "٣"])
names = st.sampled_from(["a", "b", "c", " a ", "A", *NASTY[:30]])


def settles(folder, content: bytes) -> None:
    """Scores by source and target, the numbers among them finite, with the scales that there are; or a sentence."""
    path = folder / "matrix.csv"
    path.write_bytes(content)
    found = outcome(folder, lambda: gathering.gather([("m", records.of_table(table.read(path)))]))
    if isinstance(found, str):
        assert "matrix.csv" in found
        return
    assert len(found.tasks) >= 2 and list(found.tasks) == sorted(set(found.tasks)) and all(name.strip() for name in found.tasks)
    for one in found.matrices:
        assert one.score.shape == (len(one.seeds), len(found.tasks), len(found.tasks)) and not np.isinf(one.score).any()
    known, left_out = outcome(folder, lambda: scales.available(found))
    assert "raw" in known and not set(known) & set(left_out)
    with np.errstate(all="raise", under="ignore"):
        assert all(not np.isinf(scale.matrix(one)).any() for scale in known.values() for one in found.matrices)


@pytest.mark.slow
@cases(200)
@given(damaged(LONG))
def test_damaged_long_tables(tmp_path_factory, content):
    settles(tmp_path_factory.getbasetemp(), content)


@cases(200)
@given(damaged(SQUARE))
def test_damaged_square_tables(tmp_path_factory, content):
    settles(tmp_path_factory.getbasetemp(), content)


@pytest.mark.slow
@cases(200)
@given(st.lists(st.tuples(names, names, cells), max_size=8), st.sampled_from([",", ";", "\t"]))
def test_long_tables_of_any_rows(tmp_path_factory, rows, comma):
    text = "\n".join([comma.join(["source", "target", "score"]), *map(comma.join, rows)])
    settles(tmp_path_factory.getbasetemp(), text.encode("utf-8", "replace"))


@cases(200)
@given(st.lists(names, min_size=1, max_size=5), st.lists(st.lists(cells, max_size=5), max_size=5), st.sampled_from([",", ";", "\t"]))
def test_square_tables_of_any_cells(tmp_path_factory, tasks, rows, comma):
    text = "\n".join([comma.join(["", *tasks]), *(comma.join([name, *row]) for name, row in zip(tasks, rows, strict=False))])
    settles(tmp_path_factory.getbasetemp(), text.encode("utf-8", "replace"))
