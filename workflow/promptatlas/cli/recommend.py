"""The command `recommend`: which prompt of finished studies to use on one's own images, or none."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.cli import class_names


def add(commands: Any) -> None:
    """Add it to the parser's commands."""
    command = commands.add_parser("recommend", help="which prompt of finished studies to use on your images, or none")
    command.add_argument(
        "images",
        type=Path,
        nargs="?",
        help="a folder with one folder of labelled images per class, a list (.json, .csv), another format of docs/data.md or a description "
        "(.yaml); or unlabelled images",
    )
    command.add_argument(
        "--from", dest="sources", type=Path, action="append", required=True, metavar="STUDY",
        help="a finished study, such as results/mini, an archive of `promptatlas pack`, or a folder of prompt files; may be repeated",
    )  # fmt: skip
    command.add_argument("--task", help="a known task in place of images, or whose images they are")
    command.add_argument("--data-root", type=Path, default=Path("data"), help="where data sets of known tasks are (default: data)")
    command.add_argument(
        "--template", action="append", default=[], help="hand-written sentence of the zero-shot prompt, {} for the class; may be repeated"
    )
    command.add_argument(
        "--classes", type=Path, help="a text file with a class per line, as prompts say it: `NAME`, or `NAME = FOLDER` where they differ"
    )
    command.add_argument(
        "--no-labels", action="store_true", help="folders say nothing of classes: order the prompts for all images below, without labels"
    )
    command.add_argument("--shots", type=int, help="images per class to try prompts on at most (default: 16, and 2,000 in all)")
    command.add_argument("--seed", type=int, default=0, help="of the draw of these images (default: 0)")
    command.add_argument("--tune", type=int, default=0, metavar="N", help="also tune the N best prompts and an untrained one on the images")
    command.add_argument("--backbone", type=Path, help="folder of the frozen model, if it is not beside the prompts")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: the GPU if there is one")
    command.add_argument("-o", "--output", type=Path, help="folder for recommendation.json, candidates.csv and the prompt with its card")
    command.set_defaults(run=_recommend)


def _recommend(options: argparse.Namespace) -> int:
    import torch

    from promptatlas.recommendation import loose
    from promptatlas.runs import devices

    about = {
        "task": options.task,
        "templates": options.template,
        "classes": [_spelt(line) for line in class_names.read(options.classes) or ()],
        "shots": options.shots,
        "seed": options.seed,
        "backbone": options.backbone,
        "output": options.output,
        "device": devices.chosen(options.device, torch.get_num_threads()),
        "say": lambda line: print(line, file=sys.stderr),
    }
    unlabelled = options.no_labels or (options.images is not None and loose.is_loose(options.images))
    lines = _of_unlabelled(options, about) if unlabelled else _of_labelled(options, about)
    print("\n".join(lines))
    return 0


def _of_labelled(options: argparse.Namespace, about: dict[str, Any]) -> Sequence[str]:
    from promptatlas.recommendation.answer import recommend

    return recommend(options.images, options.sources, tune=options.tune, data_root=options.data_root, **about).lines


def _of_unlabelled(options: argparse.Namespace, about: dict[str, Any]) -> Sequence[str]:
    from promptatlas.recommendation.unlabelled import recommend_unlabelled

    if options.tune:
        raise UserError("--tune needs labelled images; put them into one folder per class, or leave --tune out")
    if options.images is None:
        raise UserError("--no-labels needs a folder of images")
    return recommend_unlabelled(options.images, options.sources, **about).lines


def _spelt(line: str) -> str | list[str]:
    """A class as a configuration has it: its name in prompts, or that and its name in the data."""
    name, sign, spelling = line.partition("=")
    return [name.strip(), spelling.strip()] if sign and spelling.strip() else line
