"""What every input from outside has to do: work, or end with one clear sentence, and touch nothing else.

The interpreter itself reports what a guarded call opens for writing, starts and unpickles. Cases are the same in every run;
`FUZZ_TIMES=20 pytest tests/fuzz` draws twenty times as many, at random.
"""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st

from promptatlas.base.errors import UserError

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
MOST_SECONDS = 60
LONGEST = 2000
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGING = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree")
STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "exec.shell")

_folder: str | None = None
_forbidden: list[str] = []


def _watch(event: str, arguments: tuple) -> None:
    if _folder is None:
        return
    if (event == "open" and isinstance(arguments[0], (str, bytes)) and (arguments[2] or 0) & WRITING) or event in CHANGING:
        _outside(event, arguments[0])
    elif event in STARTING or event == "pickle.find_class":
        _forbidden.append(f"{event} {arguments}")


def _outside(event: str, path: Any) -> None:
    where = os.path.realpath(os.fsdecode(path))
    if not where.startswith(_folder) and "__pycache__" not in where:
        _forbidden.append(f"{event} {where}")


sys.addaudithook(_watch)


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Whatever happens inside writes below `folder` only, starts no process, unpickles no object and comes to an end."""
    global _folder
    _forbidden.clear()
    previous = signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(MOST_SECONDS)
    _folder = os.path.realpath(folder)
    try:
        yield
    finally:
        _folder = None
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    assert not _forbidden, _forbidden


def _hangs(*_: object) -> None:
    raise AssertionError(f"this takes more than {MOST_SECONDS} seconds")


def outcome(folder: Path, call: Callable[[], Any]) -> Any:
    """What `call` returns, or the sentence with which it ends; any other exception is the test's failure."""
    with guarded(folder):
        try:
            return call()
        except UserError as error:
            sentence = str(error)
    assert sentence.strip() and not re.search(r"Traceback|<class|object at 0x", sentence), sentence
    assert "\n" not in sentence and len(sentence) < LONGEST, sentence
    return sentence


def cases(number: int):
    """A property that is tried `number` times in every run, with the same cases."""
    return settings(
        max_examples=number * TIMES, derandomize=TIMES == 1, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


NASTY = (
    "", " ", "-", "--help", "-rf", ".", "..", "../..", "/", "/etc/passwd", "a/b", "a\\b", "a b", "a'b", 'a"b', "a;b", "$(id)",
    "`id`", "a|b", "a&b", "a>b", "a\nb", "a\n", "a\tb", "a\0b", "{}", "{x}", "{0.__class__}", "%s", "*", "?", "~", "~root", "~nobody knows",
    "ä", "日本", "🦆", "\u202eabc", "\ud800", "x" * 300, "x" * 5000, "NULL", "null", "None", "nan", "1e9999", "NaN", "con",
    "template", "scratch", "multitask", "all", "auto", "shapes", "shapes@base", "mnist", "coop", "mini", "@", "__proto__",
)  # fmt: skip
names = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))
numbers = st.one_of(st.integers(-3, 20), st.sampled_from((2**31, 2**63, 10**30, -(10**30))), st.floats(width=32))
scalars = st.one_of(st.none(), st.booleans(), numbers, names)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=3)), max_leaves=6
)


@st.composite
def damaged(draw: Callable, content: bytes) -> bytes:
    """`content` cut off, with bytes changed, left out or put in."""
    if draw(st.integers(0, 3)) == 0:
        return content[: draw(st.integers(0, len(content)))]
    result = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(result)))
        result[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(result)


@st.composite
def mutated(draw: Callable, value: Any, deep: int = 6) -> Any:
    """`value`, a tree of JSON values, with something in it replaced, left out, doubled or added."""
    inner = [*value] if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    what = draw(st.integers(0, 9))
    if not inner or not deep or what == 0:
        return draw(values)
    key = draw(st.sampled_from([*inner]))
    if what == 1:
        return {k: v for k, v in value.items() if k != key} if isinstance(value, dict) else [*value[:key], *value[key + 1 :]]
    if what == 2:
        return value | {draw(names): draw(values)} if isinstance(value, dict) else [*value, draw(st.sampled_from(value))]
    changed = draw(mutated(value[key], deep - 1))
    return value | {key: changed} if isinstance(value, dict) else [*value[:key], changed, *value[key + 1 :]]
