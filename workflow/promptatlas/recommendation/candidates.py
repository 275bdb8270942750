"""The candidate prompts: prompt files of studies, of archives and of plain folders, each known by what its card says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas import methods
from promptatlas.backbone import WEIGHTS
from promptatlas.base.errors import Failed, UserError, cause
from promptatlas.base.messages import plain
from promptatlas.exchange import packed_prompts
from promptatlas.exchange.summaries import Summary
from promptatlas.records import card, prompt_file
from promptatlas.records.prompt_file import NoPrompt, Outline
from promptatlas.study.paths import Paths

ARCHIVES = (".tar.gz", ".tgz")
IN_STUDIES = ("prompts", "multitask")
RESULTS = "results"  # where the folder that `promptatlas new` writes has its study
SUFFIX = ".safetensors"
OTHER = "something else than a prompt"
MOST_OF_A_SETTING = 10_000  # of epochs, vectors, images per batch


@dataclass(frozen=True)
class CandidateFile:
    """A prompt file. place: where it comes from; called: its name there; method, source, seed: as its card says, else its name."""

    path: Path
    place: str
    called: str
    method: str
    source: str
    seed: int
    card: Mapping[str, Any]
    outline: Outline

    @property
    def backbone(self) -> str:
        """SHA-256 of the backbone that it was trained with; empty where the file does not say."""
        return (self.card["backbone"] or {}).get("sha256", "")

    @property
    def tasks(self) -> set[str]:
        """The tasks whose images it was trained on, as far as is known."""
        return {str(self.card["task"] or ""), *map(str, self.card["learned_with"] or ())} - {""}


@dataclass(frozen=True)
class Place:
    """A study, an archive or a folder. finished: whether the study ran to its end, None of a folder that is none; records: its texts
    by name; backbone: where its frozen model lies, None if it has none; export: of an atlas, the names with which the model is exported;
    features: of an atlas, the summaries of its tasks; image_hashes: of an atlas, (N, 16) by task, of its training images.
    """

    name: str
    given: Path
    finished: bool | None
    backbone: Path | None
    records: Mapping[str, bytes]
    export: tuple[str, str] | None = None
    features: Mapping[str, Summary] = field(default_factory=dict)
    image_hashes: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Found:
    """left_out: by reason the names of the prompt files that are no candidates for it; unseen: names of those of which nothing is at hand
    that tells whether they were trained on the target's images."""

    files: list[CandidateFile] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)

    def leave_out(self, name: str, reason: str) -> None:
        self.left_out.setdefault(reason, []).append(name)

    def drop(self, file: CandidateFile, reason: str) -> None:
        self.files.remove(file)
        self.leave_out(named(file), reason)


def named(file: CandidateFile) -> str:
    return f"{file.place}: {file.called}"


def collect(sources: Sequence[str | Path], scratch: Path) -> Found:
    """The prompts of all `sources`. scratch: a folder for what comes out of archives. UserError if a source is none, or holds no prompt."""
    found = Found()
    if not sources:
        raise UserError("name where the prompts are: --from with the folder of a study, an archive or a folder of prompt files")
    for number, source in enumerate(map(Path, sources)):
        place, files = _opened(source.expanduser(), scratch / str(number), found)
        found.places.append(place)
        for called, path in files:
            try:
                found.files.append(_candidate(path, place.name, called))
            except NoPrompt:
                found.leave_out(f"{place.name}: {called}", OTHER)
            except Failed as why:
                found.leave_out(f"{place.name}: {called}", f"failed in its study: {cause(str(why))}")
            except UserError as error:
                found.leave_out(f"{place.name}: {called}", str(error).replace(str(path), called))
    if not found.files:
        reason, names = next(iter(found.left_out.items()))
        raise UserError(f"none of the prompt files in {', '.join(map(str, sources))} can be used ({names[0]}: {reason})")
    return found


def _opened(source: Path, scratch: Path, found: Found) -> tuple[Place, list[tuple[str, Path]]]:
    """A source and its prompt files, each with its name in it, in order."""
    if source.name.endswith(ARCHIVES):
        if not source.is_file():
            raise UserError(f"the archive {source} does not exist; look for a misspelt name")
        scratch.mkdir(parents=True)
        packed = packed_prompts.read(source, scratch)
        for called, why in sorted(packed.otherwise.items()):
            found.leave_out(f"{plain(packed.study)}: {called}", why)
        names = [plain(packed.backbone.get(key) or "") for key in ("model", "pretrained")]
        export = (names[0], names[1]) if all(names) else None
        place = Place(plain(packed.study), source, True, None, packed.records, export, packed.features, packed.image_hashes)
        return place, sorted(packed.prompts.items())
    if source.is_file() and source.suffix == SUFFIX:
        return Place(source.parent.name, source, None, _beside(source), {}), [(source.name, source)]
    if not source.is_dir():
        kind = "is neither a folder nor an archive (.tar.gz)" if source.exists() else "does not exist"
        raise UserError(f"{source} {kind}; give the folder of a study, such as results/mini, an archive, or a folder of prompt files")
    folders = [source / name for name in IN_STUDIES if (source / name).is_dir()]
    inside = [] if folders else _studies_in(source)
    if len(inside) == 1 and inside[0].parent == source / RESULTS:
        return _opened(inside[0], scratch, found)
    if inside:
        raise UserError(f"{source} is no study but holds some; name them, such as {inside[0]}")
    files = [(path.relative_to(source).as_posix(), path) for folder in folders or [source] for path in _prompt_files(folder)]
    if not files:
        raise UserError(f"{source} holds no prompt files; give the folder of a study with prompts, such as results/mini")
    finished = Paths.at(source).provenance_file.exists() if folders else None
    return Place(source.resolve().name, source, finished, _beside(source / "prompts"), _records(source)), files


def _studies_in(folder: Path) -> list[Path]:
    """The studies with prompts that lie somewhere below, in order."""
    above = (reversed(path.relative_to(folder).parents) for path in _prompt_files(folder))
    places = (next((parent.parent for parent in parents if parent.name in IN_STUDIES), None) for parents in above)
    return sorted({folder / place for place in places if place is not None})


def _prompt_files(folder: Path) -> Iterator[Path]:
    """In order; of folders that hold a frozen model nothing."""
    yield from (path for path in sorted(folder.rglob(f"*{SUFFIX}")) if path.name != WEIGHTS and not path.name.startswith("."))


def _beside(path: Path) -> Path | None:
    """The frozen model of the study in which a file or folder lies."""
    above = (parent / "backbone" for parent in path.absolute().parents)
    return next((folder for folder in above if (folder / WEIGHTS).is_file()), None)


def _records(folder: Path) -> dict[str, bytes]:
    names = ("config.json", "summary.json", "tables/choice.csv", "tables/transfer.csv")
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


def _candidate(path: Path, place: str, called: str) -> CandidateFile:
    outline = prompt_file.outline(path)
    try:
        about = card.read(outline.metadata)
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is not a whole prompt file ({error}); fetch it again or train it again.") from error
    method, seed = about["method"] or outline.metadata.get("method"), about["seed"]
    source = about["task"] or Path(called).stem
    return CandidateFile(path, place, called, plain(method), plain(source), seed if isinstance(seed, int) else 0, about, outline)


def with_unique_names(files: Sequence[CandidateFile]) -> list[tuple[str, str, int]]:
    """Method, source and seed of each, as no two have them: where they agree, the source is called by its place and file as well."""
    plainly = [(file.method, file.source, file.seed) for file in files]
    whole = [(file.method, f"{file.source} ({named(file)})", file.seed) for file in files]
    counts = Counter(plainly)
    return [long if counts[short] > 1 else short for short, long in zip(plainly, whole, strict=True)]


def settings_of(file: CandidateFile) -> str:
    """The settings that a prompt was trained with, as text; empty where they are not known, or not of this version of its method.

    A card may come from anyone: what no study would train is not trained here either.
    """
    given = file.card["settings"]
    if not isinstance(given, dict) or file.method not in methods.names():
        return ""
    if any(isinstance(value, (int, float)) and not abs(value) <= MOST_OF_A_SETTING for value in given.values()):
        return ""
    try:
        return json.dumps(methods.settings(file.method, given), sort_keys=True)
    except (UserError, TypeError, ValueError):
        return ""
