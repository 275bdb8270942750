"""A registration says all that is known of a method, and one that cannot be meant ends with one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from promptatlas import methods
from promptatlas.base.errors import UserError
from promptatlas.base.registry import Plugin, Registry, adding, forget
from promptatlas.methods import Setting
from promptatlas.methods.registry import METHODS, known, setting


@pytest.fixture
def toy():
    yield "toy"
    if "toy" in METHODS:
        METHODS.remove("toy")


def test_a_registration_brings_its_own_words_and_settings(toy):
    methods.register(
        toy, "somewhere:Toy", title="Toy", description="one vector at an angle", epochs=7, position="front",
        length=Setting(0.5, "of the vector", most=2), way=Setting("left", "where to", choices=("left", "right")),
    )  # fmt: skip
    assert methods.words()[toy] == {"title": "Toy", "description": "one vector at an angle"}
    assert methods.settings(toy)["epochs"] == 7 and methods.settings(toy, preset="mini")["epochs"] == 30
    assert setting(toy, "epochs").help == setting("coop", "epochs").help and setting(toy, "position").choices == ("end", "middle", "front")
    for key, value, words in [
        ("length", 3, "3 must be above zero and at most 2"), ("way", "up", "'up' is not one of left, right"),
        ("position", "top", "'top' is not one of end, middle, front"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=rf"^settings\.toy\.{key}: {words}\.$"):
            methods.settings(toy, {key: value})


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("coop", {}, "there is a method `coop` already; choose another name"),
        ("my method", {}, "at most 50 letters, digits and underscores"),
        ("toy", {"kind": "promt"}, "method `toy`: unknown kind `promt`; did you mean 'prompt'?"),
        ("toy", {"module": "somewhere"}, "`somewhere` must name a module and a class in it"),
        ("toy", {"epochs": 0}, "method `toy`: setting `epochs`: 0 must be above zero."),
        ("toy", {"epochs": Setting("many")}, "method `toy`: setting `epochs`: 'many' must be a whole number."),
        ("toy", {"position": Setting("end", choices=("end", "top"))}, "setting `position`: 'top' is not one of end, middle, front."),
        ("toy", {"own": [1]}, r"method `toy`: setting `own`: \[1\] must be a text or a number"),
        ("toy", {"own": True}, "method `toy`: setting `own`: True must be a text or a number"),
        ("toy", {"presets": {"mimi": {}}}, "unknown preset `mimi`; did you mean 'mini'?"),
        ("toy", {"presets": {"mini": {"epoch": 1}}}, "preset `mini` sets `epoch`; did you mean 'epochs'?"),
        ("toy", {"presets": {"mini": {"epochs": 0.5}}}, "preset `mini`: epochs: 0.5 must be a whole number."),
        ("toy", {"counts_words": True}, "to count words it needs the settings `initial` and `context`"),
    ],
)
def test_a_registration_that_cannot_be_meant_is_refused(toy, name, changes, words):
    with pytest.raises(UserError, match=words):
        methods.register(name, **{"module": "somewhere:Toy"} | changes)
    assert toy not in METHODS and known("coop").module == "promptatlas.methods.coop:CoOp"


def test_a_default_that_is_none_of_its_values_is_refused():
    with pytest.raises(ValueError, match="'up' is not one of left, right"):
        Setting("up", choices=("left", "right"))


def test_what_came_from_one_place_is_forgotten_together_and_names_are_taken_across_places():
    here, there = (Registry[int](word) for word in ("thing", "thong"))
    here.add("own", 0)
    here.seal()
    first, second = (Plugin(name, Path(name), name) for name in ("first.py", "second.py"))
    with adding(first):
        here.add("a", 1)
        there.add("b", 2)
    with adding(second), pytest.raises(UserError, match=r"there is a thing `a` of first\.py already; choose another name"):
        here.add("a", 3)
    with pytest.raises(UserError, match="there is a thing `own` already"):
        here.add("own", 3)
    here.add("program", 1)
    here.add("program", 2)  # as a notebook does that runs a cell twice
    with pytest.raises(UserError, match=r"there is a thing `a` of first\.py already"):
        here.add("a", 3)
    assert dict(here) == {"own": 0, "a": 1, "program": 2} and here.origin("a") == first and here.origin("own") is None

    def one_and_a_mistake() -> None:
        with adding(second):
            there.add("c", 1)
            there.add("b", 2)

    with pytest.raises(UserError, match=r"there is a thong `b` of first\.py already"):
        one_and_a_mistake()
    assert dict(there) == {"b": 2}, "all of a place or nothing"
    forget(first)
    assert dict(here) == {"own": 0, "program": 2} and not there
    Registry.every.remove(here)
    Registry.every.remove(there)


def test_no_module_of_the_package_takes_the_name_of_one_of_its_functions():
    """Python would put the module in the function's place when it is first imported."""
    modules = {path.stem for path in Path(methods.__file__).parent.glob("*.py")}
    assert len(modules) > 10 and modules.isdisjoint(methods.__all__)


@pytest.mark.imports
def test_the_registry_is_read_without_torch():
    told = "import sys; from promptatlas.methods import manual, schema; manual.page(); schema.text(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], text=True, capture_output=True, check=True)
    assert done.stdout == "False\n"
