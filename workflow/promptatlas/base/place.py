"""Where the workflow lies: in a checkout around the library, in an installed package inside of it, laid out alike."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
_BROUGHT = PACKAGE / "share"  # pyproject.toml puts it into the wheel
INSTALLED = _BROUGHT.is_dir()

ROOT = _BROUGHT if INSTALLED else PACKAGE.parents[1]
SNAKEFILE = ROOT / "Snakefile"
SCHEMAS = ROOT / "workflow" / "schemas"
STUDIES = ROOT / "workflow" / "studies"
DOCS = ROOT / "docs"


def page(name: str) -> str:
    """Where a page of the manual is, as messages say it: beside the workflow of a checkout, or where the package was installed."""
    return str(DOCS / name) if INSTALLED else f"docs/{name}"
