"""A data-set repository of the Hugging Face hub as files on this machine: where it lies, how it gets there."""

import os
import shutil
from pathlib import Path

from promptatlas.base.errors import UserError
from promptatlas.base.messages import first_line

DATA = (".parquet", ".tar", ".arrow", ".json", ".jsonl", ".csv")
SILENCE_SECONDS = 15


def home(source: dict, data_root: Path) -> Path:
    """The folder below `data_root` that a download fills."""
    return Path(data_root) / "huggingface" / str(source["repository"]).replace("/", "--")


def folder(source: dict, data_root: Path) -> Path | None:
    """Where the repository's files are: below `data_root`, or in the user's own hub cache; None if nowhere."""
    for place in (home(source, data_root), _cached(source)):
        if place is not None and _has_data(place, _patterns(source)):
            return place
    return None


def fetch(source: dict, data_root: Path) -> None:
    """Download the files that are needed; an attempt that was interrupted goes on where it stopped.

    The folder gets its name when it is complete. Raises UserError without network, access or repository.
    """
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", str(SILENCE_SECONDS))
    from huggingface_hub import snapshot_download

    place = home(source, data_root)
    staging = place.with_name(f".download-{place.name}")
    try:
        snapshot_download(
            source["repository"],
            repo_type="dataset",
            revision=source.get("revision"),
            local_dir=staging,
            allow_patterns=_patterns(source),
            ignore_patterns=["*.py"],
            etag_timeout=SILENCE_SECONDS,
        )
    except Exception as error:  # a broken connection shows in many ways, also in those of the library below
        raise UserError(f"{source['repository']} could not be downloaded from the Hugging Face hub ({_reason(error)})") from None
    if not _has_data(staging, _patterns(source)):
        raise UserError(f"{source['repository']} has no data files that can be read without running its code; use another source")
    shutil.rmtree(staging / ".cache", ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    os.replace(staging, place)


def _patterns(source: dict) -> list[str] | None:
    """Which files are needed; None means all."""
    if "download" in source:
        return list(source["download"])
    if "files" in source:
        given = [pattern for several in source["files"].values() for pattern in _as_list(several)]
        return [*given, "*.txt", "README.md"]
    return None


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _has_data(place: Path, patterns: list[str] | None) -> bool:
    if not place.is_dir():
        return False
    if patterns is not None:
        data = [pattern for pattern in patterns if pattern not in ("*.txt", "README.md")]
        return all(next(place.glob(pattern), None) is not None for pattern in data)
    files = (path for path in place.rglob("*") if path.suffix in DATA and path.is_file())
    return any(not any(part.startswith(".") for part in path.relative_to(place).parts) for path in files)


def _cached(source: dict) -> Path | None:
    """The snapshot in the hub cache of the user, if there is one of this revision."""
    from huggingface_hub.constants import HF_HUB_CACHE

    cache = Path(HF_HUB_CACHE) / f"datasets--{str(source['repository']).replace('/', '--')}"
    revision = str(source.get("revision", "main"))
    reference = cache / "refs" / revision
    try:
        commit = reference.read_text().strip() if reference.is_file() else revision
    except OSError:
        return None
    snapshot = cache / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def _reason(error: BaseException) -> str:
    """The innermost cause in one line: hub errors wrap those of the network."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return first_line(error)
