"""Which methods there are, what each is called, and every setting of it. Torch-free, so that a configuration can be checked while the
workflow is planned.

Adding a method takes its own module and one call of `register`: in `builtin`, in a file that a configuration names under `plugins`,
or in any program.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from promptatlas.base import plugins
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, suggest
from promptatlas.base.registry import Registry, current
from promptatlas.methods import outside
from promptatlas.methods.common import COMMON, IMAGES, PRESETS, TUNING
from promptatlas.methods.setting import Setting

KINDS = ("prompt", "shared", "adapter", "baseline")
TRAINED = ("prompt", "shared")  # with TUNING's settings and presets
CODE = "code"  # among the settings of a method from a plugin, so that a change of its code is one of theirs


@dataclass(frozen=True)
class Method:
    """A method as the registry knows it.

    module: where its class or function is, "package.module:Class". kind: "prompt" is trained on one task and runs in the matrix;
    "shared" is trained on several tasks at once; "adapter" works on frozen features of one task; "baseline" is measured in every
    study. title: how its paper writes it. description: what it is, in a line. settings: all it has, with the paper's defaults.
    presets: what a preset sets otherwise for this method. visual: it puts prompts into the image tower, which has to be a ViT.
    by_image: every image has class weights of its own. by_class: from text layer `layer` on, one of its settings, every class has vectors
    of its own in place of the context. teacher: its loss looks at what the frozen model says of the same images. raw_weights: of an
    adapter, it takes class features as the text tower gives them.
    counts_words: there are as many context vectors as `initial` words.
    revision: of an adapter, raised by hand when a change may move what this method alone gives; its results become stale, and no
    other's. code: of a method from a plugin, the hash of the files that register it and hold its class; "" for any other.
    """

    module: str
    kind: str
    title: str
    description: str
    settings: Mapping[str, Setting]
    presets: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    visual: bool = False
    by_image: bool = False
    by_class: bool = False
    teacher: bool = False
    counts_words: bool = False
    raw_weights: bool = False
    revision: int = 1
    code: str = ""

    def defaults(self, preset: str) -> dict[str, Any]:
        """The paper's settings, then the preset's; presets are about what is trained here."""
        paper = {key: setting.default for key, setting in self.settings.items()}
        if self.kind not in TRAINED:
            return paper
        return paper | {key: value for key, value in PRESETS[preset].items() if key in paper} | {**self.presets.get(preset, {})}


METHODS: Registry[Method] = Registry("method")


def register(
    name: str,
    module: str,
    kind: str = "prompt",
    title: str = "",
    description: str = "",
    presets: Mapping[str, Mapping[str, object]] | None = None,
    visual: bool = False,
    by_image: bool = False,
    by_class: bool = False,
    teacher: bool = False,
    counts_words: bool = False,
    raw_weights: bool = False,
    revision: int = 1,
    **settings: Setting | str | int | float,
) -> None:
    """Makes a method known by name; see `Method`. UserError names what is wrong.

    module: in a plugin that is a file also "my_file.py:MyMethod", which lies beside it. settings: its own, and other defaults for
    those that every method of its kind has. A bare value is the default of a setting in `common`, whose meaning and values it keeps, or
    of one without a description.
    """
    place = f"method `{plain(name)}`"
    if not re.fullmatch(r"[A-Za-z]\w{0,49}", name, re.ASCII):
        raise UserError(f"{place}: a name may hold at most 50 letters, digits and underscores, the first a letter")
    if kind not in KINDS:
        raise UserError(f"{place}: unknown kind `{plain(kind)}`; {suggest(kind, KINDS)}")
    if not re.fullmatch(r".+:[^\W\d]\w*", module):
        raise UserError(f"{place}: `{plain(module)}` must name a module and a class in it, such as my_package.my_module:MyMethod")
    own = {key: _setting(f"{place}: setting `{plain(key)}`", key, value) for key, value in settings.items()}
    complete = (TUNING if kind in TRAINED else {}) | (IMAGES if kind == "prompt" else {}) | own
    if CODE in own:
        raise UserError(f"{place}: a setting cannot be called `{CODE}`; choose another name")
    module, code = _placed(place, kind, module, complete)
    about = Method(
        module, kind, title or name, description, complete, presets or {}, visual, by_image, by_class, teacher, counts_words, raw_weights,
        revision, code,
    )  # fmt: skip
    for preset, changes in about.presets.items():
        if preset not in PRESETS:
            raise UserError(f"{place}: unknown preset `{plain(preset)}`; {suggest(preset, PRESETS)}")
        for key, value in changes.items():
            if key not in complete:
                raise UserError(f"{place}: preset `{preset}` sets `{plain(key)}`; {suggest(key, complete)}")
            _checked(f"{place}: preset `{preset}`: {plain(key)}", complete[key], value)
    if counts_words and not {"initial", "context"} <= complete.keys():
        raise UserError(f"{place}: to count words it needs the settings `initial` and `context`")
    METHODS.add(name, about)


def _placed(place: str, kind: str, module: str, settings: Mapping[str, Setting]) -> tuple[str, str]:
    """`module` with a file beside the plugin by its whole path, and the hash of that file and of the plugin's. What the file defines
    is looked at, and not run."""
    origin = current()
    if origin is None:
        return module, ""
    file, _, name = module.rpartition(":")
    try:
        file, path = plugins.placed(origin, file)
    except UserError as error:
        raise UserError(f"{place}: {error}; correct `{plain(module)}`") from None
    outside.require(place, kind, path, name, settings)
    return f"{file}:{name}", hashlib.sha256(f"{origin.sha256} {plugins.sha256(path)}".encode()).hexdigest()


def _setting(place: str, key: str, value: Setting | str | int | float) -> Setting:
    try:
        if not isinstance(value, Setting):
            return COMMON[key].having(value) if key in COMMON else Setting(value)
        for one in (value.default, *value.choices) if key in COMMON else ():
            COMMON[key].checked(one)  # others read it, as they are used to
        return value
    except ValueError as wrong:
        raise UserError(f"{place}: {wrong}.") from None


def names(kind: str = "prompt") -> list[str]:
    """The methods of one kind."""
    return [name for name, about in METHODS.items() if about.kind == kind]


def words() -> dict[str, dict[str, str]]:
    """By method its title and what it is, in a line."""
    return {name: {"title": about.title, "description": about.description} for name, about in METHODS.items()}


def kind(method: str) -> str:
    """What a method is trained on; see `Method`. Raises UserError for an unknown one."""
    return known(method).kind


def revision(method: str) -> int:
    """How often what this method alone gives was changed, from 1; see `Method`."""
    return known(method).revision


def is_visual(method: str) -> bool:
    """Whether a method puts prompts into the image tower."""
    return known(method).visual


def is_by_image(method: str) -> bool:
    """Whether every image has class weights of its own."""
    return known(method).by_image


def known(method: str) -> Method:
    """What is registered under a name. Raises UserError if nothing is."""
    if method not in METHODS:
        raise UserError(f"methods: unknown method {method!r}; {suggest(method, METHODS)}")
    return METHODS[method]


def setting(method: str, key: str) -> Setting:
    """A setting with all values that it takes now: class weights may come from any shared learner that is registered."""
    held = known(method).settings[key]
    return replace(held, choices=tuple(dict.fromkeys((*held.choices, *names("shared"))))) if held.learners else held


def settings(method: str, overrides: Mapping[str, object] | None = None, preset: str = "paper") -> dict[str, object]:
    """Complete settings of a method: a preset with `overrides` on top, without what is `unsaid`, but where the preset has it otherwise.
    Raises UserError naming the wrong key."""
    about, given = known(method), overrides or {}
    usual = about.defaults(preset)
    complete = usual | ({CODE: about.code} if about.code else {})
    for key, value in given.items():
        if key == CODE and value == about.code:  # of a configuration that is complete already
            continue
        place = f"settings.{method}.{plain(key)}"
        if key not in about.settings:
            raise UserError(f"{place}: unknown setting; {suggest(key, about.settings)}")
        complete[key] = _checked(place, setting(method, key), value)
    if about.counts_words:
        complete |= _counted(method, complete["initial"], complete["context"], given)
    for key, held in about.settings.items():
        if held.unsaid is not None and complete[key] == usual[key] == held.unsaid:
            del complete[key]
    return complete


def _checked(place: str, held: Setting, value: object) -> object:
    try:
        return held.checked(value)
    except ValueError as wrong:
        raise UserError(f"{place}: {wrong}.") from None


def _counted(method: str, initial: Any, context: Any, given: Mapping[str, object]) -> dict[str, object]:
    """What follows for `initial` and `context` if one of the two is not given: CoOp's release counts the words.

    Fewer vectors than words leave the last words as they are; more have no words to start from.
    """
    words = len(initial.split())
    if words and "initial" in given and "context" not in given:
        return {"context": words}
    if not words or context <= words:
        return {}
    if "initial" not in given:
        return {"initial": ""}
    raise UserError(
        f"settings.{method}.context: {context} vectors cannot start from the {words} words of settings.{method}.initial; leave out "
        "one of the two."
    )


def module_class(method: str) -> type:
    """The method's class or function; this is the step that imports torch. UserError if it is not there."""
    module, _, name = known(method).module.rpartition(":")
    try:
        return getattr(plugins.imported(module), name)
    except Exception as error:
        if not METHODS.origin(method):
            raise
        told = plugins.told(error, Path(module))
        raise UserError(f"method {method}: `{name}` cannot be had from {module}, because of {told}; mend it.") from error
