"""What a study may ask for: config.yaml checked, completed and made safe to rely on.

Knows names of tasks and methods; knows nothing of files in a study, of torch or of Snakemake.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from promptatlas import methods
from promptatlas.backbone import kinds, preprocessing
from promptatlas.backbone.origin import bring, origin
from promptatlas.base import plugins
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, shown, some, suggest
from promptatlas.evaluation import estimates, similarity
from promptatlas.study import designs, multitask, protocols, schema
from promptatlas.study.yaml_file import load as load
from promptatlas.tasks import base_new, catalogue
from promptatlas.tasks.task import Task


def complete(given: dict[str, Any]) -> dict[str, Any]:
    """The whole configuration: `given` with every default filled in, lists resolved and method settings complete.

    Raises UserError with one sentence that names the first wrong key.
    """
    schema.require_reasonable(given)
    config = schema.meant(given)
    if "data" in config:
        config["data"] = _as_written(config["data"])
    schema.check(config)
    if config.get("choice") is True:
        del config["choice"]
    schema.fill(config)
    plugins.load(config["plugins"])
    if config["design"] == "recommend" or config.pop("recommend") is not None:
        raise UserError(
            "`design: recommend` and the key `recommend` go together, and what they ask for is run by snakemake alone; for one target at "
            "once there is `promptatlas recommend`"
        )
    _known("design", config["design"], designs.DESIGNS, "design")
    for protocol in config["protocols"]:
        _known("protocol", protocol, protocols.PROTOCOLS, "protocols")
    _resolve_tasks(config)
    _resolve_backbone(config)
    _resolve_methods(config)
    _resolve_design(config)
    # No prompt is said to help that does not beat the untuned one: a study that left it out has it measured all the same.
    config["calibration"] = list(dict.fromkeys((*config["calibration"], *protocols.CALIBRATION)))
    _resolve_init(config)
    _resolve_choice(config)
    _check_protocols(config)
    _resolve_unions(config)
    _check_measures(config)
    if config["only"] is not None:
        _known("source", config["only"], [*designs.design(config).learners, *protocols.CALIBRATION, *multitask.ROWS], "only")
    return config


def value(key: str, text: str) -> Any:
    """What a text after `key=` on the command line says. UserError if it is no YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(
            f"`{plain(key)}` on the command line is not valid YAML; write it as in the configuration, such as 'seeds=[1,2]'"
        ) from None


def load_plugins(given: Mapping[str, Any]) -> None:
    """What the configuration lists under `plugins` registers is known, whatever else may be wrong with it."""
    config = {key: value for key, value in given.items() if key == "plugins"}
    schema.check(config)
    plugins.load(config.get("plugins", []))


def _resolve_tasks(config: dict[str, Any]) -> None:
    """Names in place of `all`; every name is known, and every description under `data` is sound and used."""
    own = [name for name in config["data"] if name not in catalogue.every()]
    for name in config["data"]:
        if name in catalogue.names("mini"):
            catalogue.described(name, {})
    if config["tasks"] == "all":
        named = [] if config["benchmark"] == "own" else catalogue.names(config["benchmark"])
        config["tasks"] = list(dict.fromkeys([*named, *config["data"]]))
    for task in config["tasks"]:
        _known("task", task, [*catalogue.every(), *own], "tasks")
    if len(config["tasks"]) < 2:
        raise UserError("a study needs at least 2 tasks; describe your own under `data` or list others under `tasks`")
    _distinct(config["tasks"])
    for task, description in config["data"].items():
        if task not in config["tasks"]:
            raise UserError(
                f"`data` describes `{plain(task)}`, which is not a task of the study; list it under `tasks`, or write `benchmark: own` "
                "for a study of the tasks under `data`"
            )
        catalogue.described(task, description)
        _check_redraw(task, description.get("redraw", {}))


def _distinct(tasks: Sequence[str]) -> None:
    """Tasks have rows, jobs and files of their own: job names have underscores for punctuation, some disks no upper case."""
    reserved = (*designs.BESIDE, *multitask.ROWS)
    called = dict.fromkeys(reserved, "a row of the tables")
    for task in tasks:
        alike = re.sub(r"\W", "_", task).lower()
        if alike in called:
            raise UserError(f"the task `{task}` is called too much like {called[alike]}; give it another name under `data`")
        called[alike] = f"the task `{task}`"


def _resolve_design(config: dict[str, Any]) -> None:
    """Sources are tasks of the study, and tasks can be halved where they have to be."""
    designs.check(config)
    for source in config["sources"] if isinstance(config["sources"], list) else ():
        _known("task", source, config["tasks"], "sources")
    design = designs.DESIGNS[config["design"]]
    if not design.own_tasks:
        for method in config["methods"]:
            if methods.kind(method) not in ("prompt", "baseline"):
                raise UserError(
                    f"`methods` lists {method}, which is no prompt that could be tried on other classes; leave it out with "
                    f"`design: {design.name}`"
                )
    if design.in_base_and_new:
        for name in config["tasks"]:
            task = catalogue.task(name) if name in catalogue.names("mini") else _described(config, name)
            base_new.require_base_and_new(name, task.class_names, task.multilabel)


def _described(config: dict[str, Any], name: str) -> Task:
    return catalogue.described(name, config["data"].get(name, {})).task


def _resolve_backbone(config: dict[str, Any]) -> None:
    """What follows from the model: how it is tuned and how it sees images. Wrong names and missing files end here."""
    model, pretrained = config["backbone"]["model"], config["backbone"]["pretrained"]
    if model != "mini":
        if config["download"]:
            bring(model, pretrained)
        origin(model, pretrained)
    if config["preset"] == "auto":
        config["preset"] = "mini" if model == "mini" else "paper"
    if config["resize"] == "auto":
        config["resize"] = "crop" if model == "mini" else preprocessing.chosen(model, pretrained).resize


def _resolve_methods(config: dict[str, Any]) -> None:
    """Complete settings of every method that is needed: those listed, and the learners that adapters build upon."""
    baselines = methods.names("baseline")
    every = [name for kind in ("prompt", "shared", "adapter") for name in methods.names(kind)] + baselines
    for key in ("methods", "settings"):
        for method in config[key]:
            _known("method", method, every, key)
    listed = [method for method in config["methods"] if method not in baselines]
    if not any(methods.kind(method) == "prompt" for method in listed):
        designs.check_without_prompts(config, methods.names())
    model = config["backbone"]["model"]
    visual = [method for method in listed if methods.is_visual(method)]
    closed = kinds.of(model).closed
    if visual and closed:
        raise UserError(
            f"`methods` lists {' and '.join(visual)}, with prompts in the image tower, for which CLIP's ViT is needed and not "
            f"that of {model}: {closed}; leave {'it' if len(visual) == 1 else 'them'} out, or choose a `backbone.model` such as ViT-B-16"
        )
    given, preset = config["settings"], config["preset"]
    complete = {method: methods.settings(method, given.get(method), preset) for method in (*listed, *baselines)}
    for method, settings in list(complete.items()):
        learner = settings.get("class_weights")
        if learner == multitask.MULTITASK:
            _multitask_coop(config, listed, method)
        elif learner in methods.names("shared"):
            complete.setdefault(learner, methods.settings(learner, given.get(learner), preset))
        elif learner is not None and learner not in complete:
            raise UserError(
                f"settings.{method}.class_weights is {learner}, which `methods` does not list; add {learner} to `methods`, or "
                f"choose {' or '.join(methods.names('shared'))}"
            )
    config["settings"] = complete


def _check_measures(config: dict[str, Any]) -> None:
    """Measures of similarity, and estimators, are those that are registered, here or by whoever calls."""
    statistics = config["statistics"]
    named = {"similarity": config["similarity"], **{f"statistics.{key}": statistics[key] for key in ("primary", "together")}}
    for key, names in named.items():
        for name in [] if isinstance(names, str) else names:
            _known("measure", name, similarity.registered(), key)
    for name in config["choice"]["estimators"] if config["choice"] else ():
        _known("estimator", name, estimates.ESTIMATORS, "choice.estimators")


def _multitask_coop(config: dict[str, Any], listed: Sequence[str], method: str) -> None:
    """CoOp's prompt of many tasks is there for an adapter only if the study tunes it."""
    if not config["multitask"] or "coop" not in listed:
        raise UserError(
            f"settings.{method}.class_weights is multitask, CoOp's prompt of many tasks, which this study does not tune; list "
            "coop under `methods` and write `multitask: all` or leave_one_out"
        )


def _resolve_init(config: dict[str, Any]) -> None:
    """How long protocol init tunes: as long as a source prompt is tuned, or a sixth of it with the preset for the mini backbone."""
    if config["init"]["epochs"] == "auto":
        config["init"] = {"epochs": 5 if config["preset"] == "mini" else "method"}


def _resolve_choice(config: dict[str, Any]) -> None:
    """Prompts are tried where those of other tasks are measured as they are, which tells the truth; elsewhere the key says nothing."""
    if not designs.DESIGNS[config["design"]].offers_choice or protocols.FROZEN.name not in config["protocols"]:
        config["choice"] = False


def _check_protocols(config: dict[str, Any]) -> None:
    """The settings with which a protocol tunes are a method's, with other values."""
    for protocol in (protocols.PROTOCOLS[name] for name in config["protocols"]):
        for method, settings in config["settings"].items():
            if protocol.settings is None or methods.kind(method) != "prompt":
                continue
            odd = some(sorted(protocol.settings(settings, config).keys() ^ settings.keys()), 5)
            if odd:
                raise UserError(
                    f"protocol {protocol.name}: the settings that it makes of those of {method} must have the same names; see to {odd}"
                )


def _resolve_unions(config: dict[str, Any]) -> None:
    """How prompts of several tasks are tuned; groups hold tasks of the study, each once."""
    usual = {"classes": "own", "batches": "task", "source_epochs": 10}
    paper = {"classes": "union", "batches": "mixed", "source_epochs": "method"}
    chosen = usual if config["preset"] == "mini" else paper
    config["union"] |= {key: value for key, value in chosen.items() if config["union"][key] == "auto"}
    listed = config["multitask"] if isinstance(config["multitask"], list) else []
    for task in listed:
        _known("task", task, config["tasks"], "multitask")
    if len(listed) == len(config["tasks"]):
        raise UserError("`multitask` lists every task, which leaves none to try its prompt on; list fewer, or write `multitask: all`")
    joint = config["joint"]
    if joint == "auto":
        return
    if isinstance(joint, str) or any(not isinstance(group, list) or len(group) < 2 for group in joint):
        raise UserError(f"`joint` must be `auto` or lists of at least two tasks, such as [[shapes, colors]], not {shown(joint)}")
    grouped = [task for group in joint for task in group]
    for task in grouped:
        _known("task", str(task), config["tasks"], "joint")
        if task in listed:
            raise UserError(
                f"`joint` lists {task}, which is a source task under `multitask`, whose prompt is for other tasks; "
                "leave it out of one of the two"
            )
        if grouped.count(task) > 1:
            raise UserError(f"`joint` lists {task} twice; a task adapts in one group only")


def _known(kind: str, name: str, known: Iterable[str], key: str) -> None:
    if name not in known:
        raise UserError(f"unknown {kind} `{plain(name)}` under `{key}` in the configuration; {suggest(name, sorted(known), mark='`')}")


def _check_redraw(task: str, rule: dict[str, Any]) -> None:
    """Shares of a class leave some of it for the test; images are counted when there are any."""
    shares = [value for value in rule.values() if isinstance(value, float)]
    if sum(shares) >= 1:
        raise UserError(
            f"`redraw` of task `{plain(task)}` takes {100 * sum(shares):.0f} % of each class and leaves nothing for the test; "
            "give smaller shares, or whole numbers of images"
        )


def _as_written(value: Any) -> Any:
    """The same under `data`, but for `redraw`, which has numbers, and for arguments under `splits`, which have true and false: a class, a
    folder or a title may be called by any word."""
    if not isinstance(value, dict):
        return value
    return {
        key: _arguments(part) if key == "splits" else schema.numbers(part) if key == "redraw" else _as_written(part)
        for key, part in value.items()
    }


def _arguments(splits: Any) -> Any:
    """By split a folder or, of torchvision's data sets, arguments."""
    if not isinstance(splits, dict):
        return splits
    return {
        split: {name: schema.word(argument) for name, argument in given.items()} if isinstance(given, dict) else given
        for split, given in splits.items()
    }
