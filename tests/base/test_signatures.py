"""Whether outside code can be called as it will be, told of what is loaded and of a source that is only read: as Python itself would."""

import inspect

import pytest

from promptatlas.base.errors import UserError
from promptatlas.base.signatures import Source, require
from promptatlas.methods import outside
from promptatlas.training import own_rules

HEADS = ["a", "a, b", "a, b=1", "a, *rest", "*rest", "a, b, *, c", "a, b, *, c=1", "a, /, b", "a, **more", "", "a, b, c=1, d=2"]


def called(head: str, count: int) -> bool:
    """Whether a function of that head takes `count` arguments, by calling it."""
    namespace: dict = {}
    exec(f"def function({head}): pass", namespace)
    try:
        namespace["function"](*range(count))
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_a_function_and_a_source_are_judged_as_a_call_would(tmp_path, head, count):
    text = f"class Net:\n    def __init__(self{', ' if head else ''}{head}): pass\n\ndef function({head}): pass\n"
    (tmp_path / "net.py").write_text(text)
    source, arguments, wanted = Source(tmp_path / "net.py"), [f"x{n}" for n in range(count)], called(head, count)
    namespace: dict = {}
    exec(text, namespace)
    checks = [
        lambda: require("it", namespace["function"], arguments),
        lambda: source.require_call("it", "function", arguments),
    ]
    if "/" not in head:  # `self` is before it
        checks.append(lambda: source.require_methods("it", "Net", {"__init__": arguments}.get))
    for check in checks:
        if wanted:
            check()
        else:
            with pytest.raises(UserError, match=r"^it.* takes \(.*\), but is called with \(.*\); mend it$"):
                check()


def test_what_is_no_function_is_told_and_what_does_not_say_passes():
    with pytest.raises(UserError, match=r"^it must be a function of \(a, b\)$"):
        require("it", 3, ["a", "b"])
    require("it", dict.fromkeys, ["a", "b"])


NAMES = """
import numpy.linalg, torch as t
from torch import nn as layers
if True:
    class Inside: ...
else:
    def other(): ...
try:
    import fast
except ImportError:
    fast = None
for number in range(3):
    pass
with open("x") as file:
    first, (second, *third) = 1, (2, 3)
value: int = 3
class Outer:
    hidden = 1
def function():
    local = 1
"""


def test_names_are_found_wherever_a_module_binds_them(tmp_path):
    (tmp_path / "names.py").write_text(NAMES)
    source = Source(tmp_path / "names.py")
    bound = {"numpy", "t", "layers", "Inside", "other", "fast", "number", "file", "first", "second", "third", "value", "Outer", "function"}
    assert {*source.defined} == bound
    with pytest.raises(UserError, match=r"^it: there is no `Outter` in .*names\.py; did you mean `Outer`\?$"):
        source.require("it", "Outter")


@pytest.mark.parametrize("text", ["from net import *", "globals()['Net'] = 1", "def __getattr__(name): ...", "exec('Net = 1')"])
def test_nothing_is_said_of_names_that_only_running_tells(tmp_path, text):
    (tmp_path / "net.py").write_text(text)
    assert Source(tmp_path / "net.py").require("it", "Net") is None
    (tmp_path / "net.py").write_text("pass")
    with pytest.raises(UserError, match="there is no `Net`"):
        Source(tmp_path / "net.py").require("it", "Net")


def test_a_decorated_or_inherited_method_may_be_anything(tmp_path):
    (tmp_path / "net.py").write_text("class Net(Base):\n    @wraps\n    def forward(self): ...\n    def other(self): ...\n")
    asked = {"forward": ["a", "b"]}.get
    assert Source(tmp_path / "net.py").require_methods("it", "Net", asked) is None
    (tmp_path / "net.py").write_text("class Net(Base):\n    def forward(self): ...\n")
    with pytest.raises(UserError, match="`forward` of `Net`"):
        Source(tmp_path / "net.py").require_methods("it", "Net", asked)


@pytest.mark.parametrize("text", ["class Net(:", "x = '\0'", "\xff"])
def test_what_is_no_python_is_a_sentence(tmp_path, text):
    (tmp_path / "net.py").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"net\.py is no Python, because of .*; mend it$") as caught:
        Source(tmp_path / "net.py")
    assert "\n" not in str(caught.value)


def test_what_is_asked_of_a_methods_class_is_how_the_library_calls_its_own():
    """The library's methods and the manual of rules are the reference."""
    from promptatlas import methods

    for name in methods.names():
        cls = methods.module_class(name)
        assert [*inspect.signature(cls.__init__).parameters][1:] == [*outside.CALLED["prompt"]["__init__"]]
        assert len(inspect.signature(cls.forward).parameters) == 1
    for name in methods.names("shared"):
        assert [*inspect.signature(methods.module_class(name).__init__).parameters][1:] == [*outside.CALLED["shared"]["__init__"]]
        assert len(inspect.signature(methods.module_class(name).forward).parameters) == 3
    for rule, arguments in outside.RULES.items():
        told = ", ".join(arguments) if arguments else "*gradients"
        assert f"`{rule}({told})`" in own_rules.__doc__
    for name in methods.names("adapter"):
        trained = "epochs" in methods.settings(name)
        require(name, methods.module_class(name), (*outside.ADAPTER, "order") if trained else outside.ADAPTER)
        assert len(inspect.signature(methods.module_class(name)).parameters) == 6 + trained
