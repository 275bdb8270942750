"""How the library is built: packages in one order, of which each imports only from those before it, and no circle.

`python tests/test_layers.py` prints which package imports from which.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "workflow" / "promptatlas"
ORDER = (
    "base", "tasks", "backbone", "methods", "evaluation", "records", "training", "study", "runs", "analysis", "report", "exchange",
    "recommendation", "plan", "cli",
)  # fmt: skip
DOORS = {"backbone/export.py", "backbone/open_clip_tower.py"}  # the modules that import open_clip
UNPICKLES = {"promptatlas/backbone/torch_files.py"}
PICKLES = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def dotted(path: Path) -> str:
    parts = ("promptatlas", *path.relative_to(LIBRARY).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {dotted(path): path for path in sorted(LIBRARY.rglob("*.py"))}


@cache
def nodes(path: Path) -> list[ast.AST]:
    """The imports and the calls in a module, wherever in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)]


@cache
def imports(module: str) -> frozenset[str]:
    """All that a module imports: modules of the library by their whole names, others as they are written."""
    found = set()
    for node in nodes(modules()[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules() else node.module for name in names}
    return frozenset(found)


def package(module: str) -> str:
    return module.split(".")[1]


@cache
def between() -> dict[str, set[str]]:
    """By package the packages that it imports from. The library's own front door, `promptatlas/__init__.py`, is none."""
    found: dict[str, set[str]] = {name: set() for name in ORDER}
    for module in modules():
        if module != "promptatlas":
            found[package(module)] |= {package(name) for name in imports(module) if name.startswith("promptatlas.")}
    return {name: others - {name} for name, others in found.items()}


def test_nothing_lies_flat_and_every_package_has_its_place():
    assert [path.name for path in LIBRARY.glob("*.py")] == ["__init__.py"]
    folders = {path.name for path in LIBRARY.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ORDER)
    assert all((LIBRARY / name / "__init__.py").exists() for name in folders)


@pytest.mark.parametrize("name", ORDER)
def test_a_package_imports_only_from_those_before_it(name):
    assert between()[name] <= set(ORDER[: ORDER.index(name)])


def test_no_module_imports_itself_by_way_of_others():
    ours = {module: [name for name in imports(module) if name in modules()] for module in modules()}
    try:
        TopologicalSorter(ours).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_front_door_is_not_used_from_inside():
    assert not [module for module in modules() if "promptatlas" in imports(module)]


@pytest.mark.parametrize(("foreign", "doors"), [("snakemake", set()), ("open_clip", DOORS)])
def test_the_library_does_not_know(foreign, doors):
    found = {module for module in modules() if foreign in {name.split(".")[0] for name in imports(module)}}
    assert {str(modules()[module].relative_to(LIBRARY)) for module in found} == doors


def reads(nodes: Iterable[ast.AST]) -> set[str]:
    """The calls that read a file and would unpickle what is in it, and what is imported to do so."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] in PICKLES}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if name.split(".")[0] in PICKLES or name in ("torch.load", "torch.jit.load")}
        elif isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            asked = any(word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords)  # numpy's default
            if asked or call in ("torch.load", "torch.jit.load") or call.endswith("read_pickle"):
                found.add(call)
    return found


FIRST = """
import sys
for name in sys.argv[1:]:
    for known in [known for known in sys.modules if known.partition(".")[0] == "promptatlas"]:
        del sys.modules[known]
    __import__(name)
"""


@pytest.mark.slow
@pytest.mark.imports
def test_each_module_of_the_analysis_can_be_the_first_to_be_imported():
    """A package that imports its modules is no circle for those that are read with it, but may be one for who asks for a module first."""
    names = [dotted(path) for path in modules().values() if "analysis" in path.relative_to(LIBRARY).parts]
    assert len(names) > 60
    subprocess.run([sys.executable, "-c", FIRST, *names], check=True, timeout=300)


def test_one_module_unpickles():
    scripts = [path for folder in ("scripts", "pretraining") for path in (LIBRARY.parent / folder).glob("*.py")]
    found = [path for path in (*modules().values(), *scripts) if reads(nodes(path))]
    assert {path.relative_to(LIBRARY.parent).as_posix() for path in found} == UNPICKLES


def test_one_module_writes_under_another_name_first():
    """A killed process leaves whole files only: nobody has a way of their own to see to that."""
    words = ("mkstemp", "NamedTemporaryFile", '.tmp"')
    found = {path for path in modules().values() if any(word in path.read_text(encoding="utf-8") for word in words)}
    assert {path.relative_to(LIBRARY).as_posix() for path in found} == {"base/files.py"}


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from pickle import loads", "import joblib", "torch.load(p, weights_only=True)", "from torch import load",
     "torch.jit.load(p)", "pd.read_pickle(p)", "np.load(p, allow_pickle=True)"],
)  # fmt: skip
def test_what_unpickles_is_seen(code):
    harmless = "np.load(p); np.load(p, allow_pickle=False); json.load(p); module.load(p)"
    assert reads(ast.walk(ast.parse(code))) and not reads(ast.walk(ast.parse(harmless)))


if __name__ == "__main__":
    for name in ORDER:
        print(f"{name:<11} {', '.join(sorted(between()[name], key=ORDER.index)) or '-'}")
