"""Code from outside registers methods: it is run once, again when its file is another, and a mistake in it is one sentence."""

import os
import subprocess
import sys

import pytest

from promptatlas import methods
from promptatlas.base import plugins
from promptatlas.base.errors import Failed, UserError
from promptatlas.base.registry import Registry
from promptatlas.methods.registry import METHODS
from promptatlas.runs.attempts import alone
from promptatlas.study.configuration import complete

TOY = """
from promptatlas.methods import Setting, register
register("toy", "toy_net.py:Toy", title="Toy", description="one vector", length=Setting(0.5, "of it"))
"""
NET = """
import runs_counted
runs_counted.append(1)
class Toy:
    visual = False
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a plugin in two files, of which the second counts how often it is run."""
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "toy_net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "runs_counted", [])
    yield tmp_path
    plugins.load([])
    assert "toy" not in METHODS


def code(listed=("toy.py",)):
    return complete({"methods": ["coop", "toy"], "plugins": [*listed]})["settings"]["toy"]["code"]


def test_a_file_is_run_once_and_its_class_when_it_is_asked_for(folder):
    first = code()
    assert code() == first and sys.modules["runs_counted"] == [] and methods.words()["toy"]["title"] == "Toy"
    assert methods.module_class("toy") is methods.module_class("toy") and sys.modules["runs_counted"] == [1]
    assert METHODS.origin("toy").name == "toy.py" and [one["name"] for one in plugins.marks()] == ["toy.py"]
    again = complete(complete({"methods": ["coop", "toy"], "plugins": ["toy.py"], "settings": {"toy": {"length": 2}}}))
    assert again["settings"]["toy"] == methods.settings("toy", {"length": 2}, "mini") and again["settings"]["toy"]["code"] == first


@pytest.mark.imports
def test_a_study_with_it_is_planned_without_torch_if_it_imports_none(folder):
    told = "import sys; from promptatlas.study.study import Study; Study({'methods': ['coop', 'toy'], 'plugins': ['toy.py']}).jobs; "
    done = subprocess.run([sys.executable, "-c", told + "print('torch' in sys.modules)"], text=True, capture_output=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("file", ["toy.py", "toy_net.py"])
def test_a_change_of_either_file_is_another_code_and_wherever_it_lies_it_is_the_same(folder, file):
    before, others = code(), complete({"methods": ["coop", "vpt"], "plugins": ["toy.py"]})["settings"]
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("toy.py", "toy_net.py"):
        (elsewhere / name).write_bytes((folder / name).read_bytes())
    assert code(["elsewhere/toy.py"]) == before
    # Of the same length and time: Python's own cache would take the old one.
    (folder / file).write_text((folder / file).read_text().replace("0.5", "0.6").replace("False", "0 > 1"))
    assert code() != before and complete({"methods": ["coop", "vpt"], "plugins": ["toy.py"]})["settings"] == others
    assert methods.settings("toy")["length"] == (0.6 if file == "toy.py" else 0.5) and not methods.module_class("toy").visual


def test_no_method_of_the_library_has_a_code_among_its_settings(folder):
    complete({"methods": ["coop", "toy"], "plugins": ["toy.py"]})
    assert [name for name in METHODS if "code" in methods.settings(name)] == ["toy"]


def test_what_another_configuration_listed_is_not_known(folder):
    code()
    with pytest.raises(UserError, match="unknown method `toy` under `methods`"):
        complete({"methods": ["coop", "toy"]})
    code()
    with pytest.raises(UserError, match=r"settings\.toy\.code: unknown setting"):
        complete({"methods": ["coop", "toy"], "plugins": ["toy.py"], "settings": {"toy": {"code": "0" * 64}}})


def test_a_module_and_an_installed_package_are_loaded_as_well(folder, monkeypatch):
    package = folder / "site" / "toy_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "announced.py").write_text(TOY.replace("toy_net.py:Toy", "toy_package.net:Toy"))
    (package / "net.py").write_text(NET)
    monkeypatch.syspath_prepend(str(folder / "site"))
    first = code(["toy_package.announced"])
    assert METHODS["toy"].module == "toy_package.net:Toy" and methods.module_class("toy").visual is False
    with pytest.raises(UserError, match="unknown method `toy`"):
        complete({"methods": ["coop", "toy"]})
    about = folder / "site" / "toy_package-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-package\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[promptatlas]\ntoy = toy_package.announced\n")
    os.utime(folder / "site", (1, 1))  # all of this may have been within one tick of the clock
    assert code([]) == first and code(["toy_package.announced"]) == first
    (package / "net.py").write_text(NET + "# other\n")
    (package / "announced.py").write_text(TOY.replace("toy_net.py:Toy", "toy_package.net:Toy") + "# other\n")
    assert code([]) != first
    (package / "announced.py").write_text("1 / 0")
    told = r"an installed package announces `toy_package\.announced`, which cannot be loaded, because of ZeroDivisionError: .*"
    with pytest.raises(UserError, match=told):
        complete({})
    about.rename(folder / "gone")
    for name in [name for name in sys.modules if name.startswith("toy_package")]:
        del sys.modules[name]


def test_what_packages_announce_is_looked_up_again_only_where_some_came_or_went(tmp_path, monkeypatch):
    asked, path = [], [str(tmp_path)]
    plugins._announced.cache_clear()
    monkeypatch.setattr(plugins, "entry_points", lambda group: asked.append(group) or [])
    monkeypatch.setattr(sys, "path", path)
    assert plugins.announced() == plugins.announced() == [] and len(asked) == 1
    (tmp_path / "toy-1.dist-info").mkdir()
    os.utime(tmp_path, (1, 1))
    assert plugins.announced() == [] and len(asked) == 2
    path.append(str(tmp_path / "toy-1.dist-info"))
    assert plugins.announced() == [] and len(asked) == 3
    plugins._announced.cache_clear()


MISTAKES = [
    (None, "there is no file .*/wrong.py; correct it, or take it out"),
    ("x = (", r"cannot be loaded, because of SyntaxError: '\(' was never closed \(line 1\); mend it, or take it out"),
    ("\nimport no_such_module", r"cannot be loaded, because of ModuleNotFoundError: No module named .*no_such_module.* \(line 2\)"),
    ("raise SystemExit(3)", r"cannot be loaded, because of SystemExit: 3 \(line 1\)"),
    (TOY.replace('"toy"', '"coop"'), "there is a method `coop` already; choose another name"),
    (TOY + TOY, r"there is a method `toy` of wrong.py already; choose another name"),
    (TOY.replace("title=", 'kind="promt", title='), "method `toy`: unknown kind `promt`; did you mean 'prompt'?"),
    (TOY.replace("toy_net", "net"), r"method `toy`: there is no file .*/net.py; correct `net.py:Toy`"),
    (TOY.replace("toy_net.py", "no_such.module"), "method `toy`: there is no module `no_such.module` that Python finds; correct"),
    (TOY.replace("length=", "code="), "method `toy`: a setting cannot be called `code`; choose another name"),
    (TOY.replace('Setting(0.5, "of it")', "[1]"), r"method `toy`: setting `length`: \[1\] must be a text or a number"),
]
CLASSES = [
    (
        "class Toy:\n    def loss(self, logits, labels): ...",
        r"`loss` of `Toy` in .*toy_net\.py \(line 2\) takes \(logits, labels\),",
    ),
    (
        "class Toy:\n    def __init__(self, settings): ...",
        r"`__init__` of `Toy` in .* takes \(settings\), but is called with",
    ),
    (
        "class Toy:\n    def epoch_weight(self): ...",
        r"`epoch_weight` of `Toy` in .* takes \(\), but is called with \(epoch, epochs\)",
    ),
    ("class Toy(", r".*toy_net\.py is no Python, because of '\(' was never closed \(line 1\); mend it"),
]


@pytest.mark.parametrize(("text", "words"), CLASSES)
def test_a_class_that_cannot_be_used_is_told_before_it_is_run(folder, text, words):
    (folder / "toy_net.py").write_text(text)
    with pytest.raises(UserError, match=rf"^`plugins`: toy\.py: (method `toy`: )?{words}"):
        code()


def test_an_adapter_is_called_with_the_order_of_training_if_it_has_epochs(folder):
    (folder / "toy.py").write_text(TOY.replace("title=", 'kind="adapter", title='))
    (folder / "toy_net.py").write_text("def Toy(settings, scale, weights, train, validation, metric, order): ...\n")
    with pytest.raises(UserError, match=r"takes \(.*, order\), but is called with \(settings, scale, weights, train, validation, metric\)"):
        plugins.load(["toy.py"])
    (folder / "toy.py").write_text(TOY.replace("title=", 'kind="adapter", epochs=3, title='))
    plugins.load(["toy.py"])


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_is_one_sentence_and_leaves_nothing_registered(folder, text, words):
    if text is not None:
        (folder / "wrong.py").write_text(text)
    before = {registry.what: [*registry] for registry in Registry.every}
    with pytest.raises(UserError, match=rf"^`plugins`: wrong\.py:? {words}") as caught:
        complete({"methods": ["coop", "toy"], "plugins": ["wrong.py"]})
    assert "\n" not in str(caught.value) and {registry.what: [*registry] for registry in Registry.every} == before


@pytest.mark.parametrize(
    "name", ["a b", ".x", "..", "os.path.x", "x\0y", "/", "\udc80", "a" * 900, "a" * 900 + ".py", "\0.py", "x\ny.py", "~/.py"]
)
def test_a_name_that_nothing_can_have_is_one_sentence(folder, name):
    with pytest.raises(UserError, match=r"^`plugins`: .*: there is no (file|module) .*; correct it, or take it out$") as caught:
        complete({"plugins": [name]})
    assert len(str(caught.value)) < 700


def test_a_module_that_is_not_there_and_a_class_that_is_not_there(folder):
    with pytest.raises(UserError, match=r"`plugins`: no\.such: there is no module `no\.such` that Python finds; correct it"):
        complete({"plugins": ["no.such"]})
    (folder / "toy_net.py").write_text("\nclass Toys: ...\n")
    with pytest.raises(UserError, match=r"`plugins`: toy\.py: method `toy`: there is no `Toy` in .*toy_net\.py; did you mean `Toys`\?"):
        code()
    (folder / "toy_net.py").write_text("\nglobals()['Other'] = 1\n")  # only running it tells which names there are
    code()
    with pytest.raises(UserError, match=r"method toy: `Toy` cannot be had from .*toy_net.py, because of AttributeError: .*; mend it"):
        methods.module_class("toy")
    (folder / "toy_net.py").write_text("\n1 / 0\n")
    code()
    with pytest.raises(UserError, match=r"because of ZeroDivisionError: division by zero \(line 2\); mend it"):
        methods.module_class("toy")


def test_an_error_in_a_plugins_code_names_the_plugin_and_its_line(folder):
    (folder / "wrong.py").write_text("def answer():\n    return nothing_of_that_name\n")
    plugins.load(["wrong.py"])
    answer = plugins.imported("wrong.py").answer
    with pytest.raises(Failed) as told:
        alone(answer)
    assert str(told.value) == "wrong.py: NameError: name 'nothing_of_that_name' is not defined (line 2); mend the plugin"
    with pytest.raises(Failed, match="an error of the program"):
        alone(lambda: {}["nothing"])
