"""The command `new`: the folder of a study, with a configuration that says what may be changed."""

import argparse
import json
import os
import re
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from promptatlas.base.errors import UserError
from promptatlas.base.files import replace
from promptatlas.base.messages import plain
from promptatlas.cli.analyse import named_place
from promptatlas.cli.configured import USUAL
from promptatlas.study import configuration
from promptatlas.tasks import catalogue
from promptatlas.tasks.labels import fitting
from promptatlas.tasks.readers.folder import classes

TEMPLATE = "new_study.yaml.j2"
EMBEDDED = ("digits_handwritten", "digits_rendered", "letters", "textures", "patterned_shapes")  # alike and unlike
LONGEST = 50


def add(commands: Any) -> None:
    """Add it to the parser's commands."""
    command = commands.add_parser(
        "new", help="write the folder of a study: config.yaml with remarks, and a place for images",
        epilog="then, in that folder: promptatlas check, promptatlas run",
    )  # fmt: skip
    command.add_argument("folder", type=Path, help="of the study, made if need be; the study is called like it")
    command.add_argument(
        "--images", nargs="+", default=[], metavar="[TASK=]FOLDER",
        help="folders of images, or lists of them, each a task, called like its folder or as you say",
    )  # fmt: skip
    command.set_defaults(run=_new)


def _new(options: argparse.Namespace) -> int:
    path = options.folder / USUAL
    if path.exists():
        raise UserError(f"{path} is there already; name another folder, or remove it")
    text = written(options.folder, options.images)
    try:
        (options.folder / "images").mkdir(parents=True, exist_ok=True)
        replace(path, text.encode())
    except OSError as error:
        raise UserError(f"{options.folder} cannot be written ({error.strerror}); name another folder") from None
    here = options.folder.resolve() == Path.cwd()
    called = yaml.safe_load(text)["study"]
    if called != options.folder.resolve().name:
        print(f"the study is called {called}")
    print(f"{path}\nnext: {'' if here else f'cd {shlex.quote(str(options.folder))} && '}promptatlas check && promptatlas run")
    return 0


def written(folder: Path, images: Sequence[str]) -> str:
    """The configuration of a study in `folder` with its own tasks, which `images` names. UserError for what cannot be one."""
    study = _name(folder.resolve().name, "study")
    own: dict[str, str] = {}
    for given in images:
        task, place = task_of(given)
        if not place.exists():
            raise UserError(f"there is no {plain(place)}; --images names folders of images, or lists of them")
        _require_fitting(task, place)
        if task in own:
            raise UserError(f"two tasks would be called `{task}`; write one of them as NAME={plain(place)}")
        own[task] = json.dumps(str(place) if place.is_absolute() else os.path.relpath(place, folder), ensure_ascii=False)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    text = environment.get_template(TEMPLATE).render(
        study=_text(study),
        results=f"results/{study}/report.html",
        own=[(_text(task), place) for task, place in own.items()],
        embedded=EMBEDDED,
    )
    configuration.complete(yaml.safe_load(text))
    return text


def task_of(given: str) -> tuple[str, Path]:
    """A task's name, as given or as of the folder or list, and its place."""
    name, place = named_place(given)
    if name == "":
        raise UserError(f"{plain(given)!r} has no name before its =; write TASK=FOLDER, or the folder alone")
    whole = place.resolve()
    return _name(whole.stem if place.is_file() else whole.name, "task") if name is None else name, place


def _require_fitting(task: str, place: Path) -> None:
    """UserError where a task has the name of a published one, and the folders or the list at `place` have other classes."""
    if task not in catalogue.published():
        return
    entry = catalogue.described(task, {"folder": str(place.absolute())})
    for source in entry.sources:
        try:
            known = classes(source, Path())
            if known:
                fitting(entry, *known)
        except UserError as error:
            raise UserError(
                f"{error} (`{task}` is the name of a published task; write my-{task}={plain(place)} for one of your own)"
            ) from None


def _text(name: str) -> str:
    """A name as YAML reads it back: in quotes where it would be a number, a truth or nothing."""
    return name if yaml.safe_load(name) == name else json.dumps(name)


def _name(text: str, kind: str) -> str:
    """A name as a study takes it, of whatever a folder is called: letters without their accents."""
    letters = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", letters).strip("-._")[:LONGEST]
    if not name:
        raise UserError(f"no {kind} can be called like {plain(text)!r}; use letters and digits in the name of the folder")
    return name
