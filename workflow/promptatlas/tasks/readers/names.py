"""Class names as sources give them: their natural order, two that read the same."""

import re
import unicodedata
from collections.abc import Iterable

from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown

_DIGITS = re.compile(r"(\d+)")
_SEPARATORS = re.compile(r"[\s_\-]+")


def natural(text: str) -> tuple:
    """Sort key by which `image_2` comes before `image_10`; different texts never compare equal."""
    parts = _DIGITS.split(text)
    parts[1::2] = map(int, parts[1::2])
    return tuple(parts), text


def require_distinct(names: Iterable[str], where: str) -> None:
    """Refuse two names that differ in case or separators only: a prompt could not tell the classes apart."""
    seen: dict[str, str] = {}
    for name in names:
        key = _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", name)).strip().casefold()
        if not key:
            raise UserError(f"{where} has a class without a name; name every class")
        if key in seen:
            raise UserError(f"{where} has a class twice, {shown(seen[key])} and {shown(name)}; rename or merge them")
        seen[key] = name
