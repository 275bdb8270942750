"""One archive of a finished study for publication: tables, prompts, configuration, provenance, figures, page and the files of its
plugins, what summaries of features tell of its tasks, and hashes of their training images, but no images of data sets, no weights of the
backbone and no names of folders of the machine. What failed is named in `failed.txt`.

The same study gives the same bytes, wherever and whenever it is packed.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptatlas.base import plugins
from promptatlas.base.errors import UserError
from promptatlas.base.files import whole
from promptatlas.exchange import atlas, image_hashes, summaries
from promptatlas.exchange.private_folders import Private
from promptatlas.runs import failures, provenance
from promptatlas.study.configuration import complete
from promptatlas.study.relative_folders import tidy
from promptatlas.study.study import Study

ENDING = ".tar.gz"
FAILED, PLUGINS = "failed.txt", "plugins"
PROMPTS = ("prompts/", "multitask/")  # files below are prompts of one task or of several


def pack(study: Study, path: Path) -> list[str]:
    """Write the archive whole or not at all; returns the names of the files that are in it. UserError for a study that is not finished."""
    if not path.name.endswith(ENDING):
        raise UserError(f"{path} must end in {ENDING}; give another name with -o")
    require_finished(study)
    files = {_name(study, file): file for file in contents(study)} | plugin_files()
    try:
        with whole(path) as temporary, temporary.open("wb") as file:
            return _write(file, study, files, Private(study))
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); give a place with room and rights with -o") from error


def plugin_files() -> dict[str, Path]:
    """By their names in the archive the files that the study lists under `plugins`, and those that methods and readers of theirs lie in.

    What lies in one folder stays together; several folders are numbered.
    """
    every = [(tidy(folder), tidy(path)) for folder, paths in plugins.files() for path in paths]
    rooted = [(folder if path.is_relative_to(folder) else path.parent, path) for folder, path in every]
    roots = list(dict.fromkeys(root for root, _ in rooted))
    places = {root: PLUGINS if len(roots) == 1 else f"{PLUGINS}/{number}" for number, root in enumerate(roots, 1)}
    return {f"{places[root]}/{path.relative_to(root).as_posix()}": path for root, path in rooted}


def failed_results(study: Study) -> list[failures.Failure]:
    """The results that could not be computed when the study ran last: its archive lacks them."""
    return failures.listed(study)


def contents(study: Study) -> list[Path]:
    """Every file of the archive."""
    whole = [*study.tables, study.paths.resolved_config, study.paths.provenance_file, study.paths.summary, study.paths.report]
    folders = {study.paths.figures, *(study.folder / name for name in ("prompts", "shared", "multitask", "joint"))}
    found = {*whole, *(path for folder in folders for path in folder.rglob("*") if _belongs(path))}
    return sorted(found, key=Path.as_posix)


def _belongs(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".")


def require_finished(study: Study) -> None:
    """UserError unless everything is there, or failed, as configured now and as the provenance describes it."""
    again = "run the study, then pack again"
    failed = {one.path for one in failed_results(study)}
    computed = [*study.all_prompts, *study.all_cells, *study.all_tries, *study.all_scores]
    wanted = [*computed, *study.tables, study.paths.resolved_config, *study.conclusions]
    missing = [path for path in wanted if not path.exists() and path not in failed]
    if missing:
        raise UserError(f"{study.name} is not finished: {len(missing)} of {len(wanted)} files are missing, such as {missing[0]}; {again}")
    if _then(study) != _now(study.description):
        raise UserError(f"{study.name} was run with another configuration than the present one; {again}")
    noted = json.loads(study.paths.provenance_file.read_bytes()).get("results")
    now = provenance.results(study)
    if noted != now:
        name = next((name for name in now if noted is None or noted.get(name) != now[name]), "a result")
        raise UserError(f"{study.folder / name} is not what {study.paths.provenance_file.name} describes; {again}")


def _then(study: Study) -> dict[str, Any]:
    """The configuration that the study ran with; keys that there were none of at the time had their usual values."""
    usual = _now(complete({"plugins": study.config["plugins"]}))  # without them the study's own would be forgotten
    return {key: usual.get(key) for key in study.description} | json.loads(study.paths.resolved_config.read_bytes())


def _now(config: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(config))


def _write(file: io.BufferedIOBase, study: Study, files: Mapping[str, Path], private: Private) -> list[str]:
    """Names in order; nothing of the machine, the user or the hour. The names of the files but for that of what failed."""
    failed = failed_results(study)
    tasks = dict.fromkeys((*study.design.given, *study.tasks))
    all_made = {
        summaries.NAME: private.tensors(summaries.packed(summaries.of_tasks(study.paths, study.tasks))),
        image_hashes.NAME: private.tensors(image_hashes.packed(image_hashes.of_tasks(study.paths, tasks))),
    }
    made = {name: content for name, content in all_made.items() if len(content) <= atlas.MOST_BYTES}
    with (
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        prompts = {name: _sha256(private, path) for name, path in files.items() if name.startswith(PROMPTS)}
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
        for name in sorted([*files, *made, atlas.NAME, *([FAILED] if failed else [])]):
            if name == atlas.NAME:
                content = private.clean(atlas.written(study, prompts, hashes).decode()).encode()
            elif name in made:
                content = made[name]
            elif name == FAILED:
                content = private.clean("\n".join(failures.lines(study, failed)) + "\n").encode()
            elif name == _name(study, study.paths.provenance_file):
                content = _described(study, private)
            else:
                content = private.content(files[name])
            _add(archive, f"{study.name}/{name}", content)
    return [*files, *made, atlas.NAME]


def _name(study: Study, path: Path) -> str:
    return path.relative_to(study.folder).as_posix()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def _sha256(private: Private, path: Path) -> str:
    """Of a file as it is in the archive."""
    return hashlib.sha256(private.content(path)).hexdigest()


def _described(study: Study, private: Private) -> bytes:
    """The provenance, with the hashes of the files as they are in the archive."""
    told = json.loads(private.content(study.paths.provenance_file))
    told["results"] = {name: _sha256(private, study.folder / name) for name in told["results"]}
    if packed := plugin_files():
        told["plugin_files"] = {name: _sha256(private, path) for name, path in packed.items()}
    return provenance.written(told)
