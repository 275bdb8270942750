"""Which group of the data is which split of a study: as the study says, else by the words in the names of the groups."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, some, suggest
from promptatlas.tasks.listing import SPLITS
from promptatlas.tasks.readers.assemble import wanted

ALL = "all"  # of images that nobody has divided
WORDS = {
    **dict.fromkeys(("train", "training", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def split_of(name: str) -> str | None:
    """The split that a name such as `instances_train2017` or `birds-val-000001.tar` has a word for; None if there is none, or two."""
    found = {WORDS[word] for word in re.split(r"[^a-z]+", name.lower()) if word in WORDS}
    return found.pop() if len(found) == 1 else None


def without_number(stem: str) -> str:
    """`birds-train` of birds-train-000001 and birds-train-00000-of-00002; older copies of the hub have letters of a hash after these."""
    return re.sub(r"[-_.]?\d+(-of-\d+(-[0-9a-f]{8,})?)?$", "", stem)


def require_all_shards(files: Iterable[Path]) -> None:
    """UserError where names such as train-00000-of-00002.parquet say that there is more than the files at hand."""
    numbers: dict[tuple[Path, str, int], set[int]] = {}
    for file in files:
        if found := re.match(r"(?P<name>.*?)(?P<number>\d+)-of-(?P<all>\d+)(?!\d)", file.name):
            numbers.setdefault((file.parent, found["name"], int(found["all"])), set()).add(int(found["number"]))
    for (folder, name, every), there in numbers.items():
        if len(there) < every:
            first = 1 if every in there else 0
            absent = [str(number) for number in range(first, first + every) if number not in there]
            raise UserError(
                f"{folder} has {len(there)} of the {every} files {plain(name)}*-of-{every}, without number {some(absent, 3)}; fetch all of "
                "them, or take the `-of-` out of their names if these are to be all"
            )


def by_split(source: dict[str, Any], groups: Collection[str], where: str, labelled: bool = False) -> dict[str, list[str]]:
    """The groups of each split, or of ALL if they are to be divided. labelled: for somebody who wants no test images.

    UserError, with what to write, where it is not known which is which, or test images are missing.
    """
    if "splits" in source:
        given = {split: list(map(str, names)) for split, names in wanted(source, None).items()}
        for name in (name for names in given.values() for name in names):
            if name not in groups:
                raise UserError(f"{where} has no {plain(name)!r}, which `splits` names; {suggest(name, groups)}")
        return given
    if "redraw" in source:
        if len(groups) > 1:
            raise UserError(f"{where} is divided already, into {_listed(groups)}; leave `redraw` out")
        return {ALL: list(groups)}
    found: dict[str, list[str]] = {}
    for name in sorted(groups, key=lambda name: "trainval" in name.lower()):
        split = split_of(name)
        if split == "train" and "trainval" in name.lower() and {"train", "validation"} & found.keys():
            continue  # VOC lists both, and the two together
        found.setdefault(split or "", []).append(name)
    if len(groups) == 1 and "test" not in found:
        return {ALL: list(groups)}
    if "" in found or any(len(names) > 1 for names in found.values()):
        if not found.keys() - {""} and all((Path(where) / name).is_dir() for name in groups):
            classes = ", or `format: folders` if they are classes"
        else:
            classes = ""
        raise UserError(f"{where} has {_listed(groups)}, and which is for what is not known; {_remedy(groups)}{classes}")
    if "train" in found and "test" not in found and not labelled:
        raise UserError(f"{where} has {_listed(groups)} and nothing to test on; {_remedy(groups)}")
    if "train" not in found and len(found) > 1:
        raise UserError(f"{where} has {_listed(groups)} and nothing to train on; {_remedy(groups)}")
    return {split: found[split] for split in SPLITS if split in found}


def _listed(groups: Collection[str]) -> str:
    names = [plain(name) for name in groups]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _remedy(groups: Collection[str]) -> str:
    train, *others = sorted(map(plain, groups), key=lambda name: split_of(name) != "train")
    return f"say which is which, such as `splits: {{train: {train}, test: {others[-1]}}}`"
