"""The frozen model that the candidates were trained with: where it lies, or how to get it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from promptatlas import backbone as backbones
from promptatlas.backbone import Backbone
from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, plain
from promptatlas.recommendation.candidates import Found

EMBEDDED = "mini"


def find(found: Found, given: str | Path | None, scratch: Path, device: str) -> tuple[Backbone, Path]:
    """The model and its folder: the one that is given, else that beside the prompts, else the embedded one if they are its own.

    UserError with the command that writes it where there is none. scratch: a folder for the embedded one.
    """
    if given is not None:
        folder = Path(given).expanduser()
        if not (folder / backbones.WEIGHTS).is_file():
            raise UserError(f"{folder} is no exported backbone; give the folder `backbone` of a study with --backbone")
        return backbones.load(folder, device), folder
    beside = [place.backbone for place in found.places if place.backbone]
    if beside:
        return backbones.load(beside[0], device), beside[0]
    wanted = Counter((file.backbone, _name(file.card)) for file in found.files).most_common(1)[0][0]
    if wanted[1] == EMBEDDED:
        from promptatlas.backbone import export

        export.export(EMBEDDED, EMBEDDED, scratch)
        model = backbones.load(scratch, device)
        if model.fingerprint == wanted[0]:
            return model, scratch
    raise UserError(_absent(found, *wanted))


def keep_own(found: Found, model: Backbone) -> None:
    """Leave out the prompts of other backbones. UserError if that are all."""
    others = [file for file in found.files if file.backbone not in ("", model.fingerprint)]
    names = {name for file in others if (name := _name(file.card))}
    if len(others) == len(found.files):
        raise UserError(
            f"all {counted(len(others), 'prompt')} were trained with another backbone{_listed(names)} than the one at hand "
            f"({plain(model.architecture.name)}, SHA-256 {model.fingerprint[:12]}); give their own with --backbone"
        )
    for file in others:
        found.drop(file, f"trained with another backbone{_listed({_name(file.card)} - {''})}")


def _absent(found: Found, sha256: str, name: str) -> str:
    model, _, weights = name.rpartition("/")
    known = next((place.export for place in found.places if place.export), (model or name, weights or name))
    command = f"`promptatlas export-backbone {' '.join(known)} -o backbone`" if all(known) else "`promptatlas export-backbone`"
    places = ", ".join(str(place.given) for place in found.places)
    mark = f"SHA-256 {sha256[:12]}" if sha256 else "of which they do not say the hash"
    return (
        f"the backbone of the prompts in {places} ({name or 'unnamed'}, {mark}) is not beside them; write it with {command} "
        "and give --backbone backbone"
    )


def _name(card: object) -> str:
    about = card.get("backbone") if hasattr(card, "get") else None
    return plain((about or {}).get("name") or "")


def _listed(names: set[str]) -> str:
    return f" ({', '.join(sorted(names))})" if names else ""
