"""Writes environment.yaml, the conda twin of requirements.txt, for `snakemake --sdm conda`.

Conda brings Python; the packages and versions are the pinned ones.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent
HEAD = """\
# Written by `make lock` from requirements.txt: the same versions for `snakemake --sdm conda`.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python =3.11
  - pip
  - pip:
"""


def pins(requirements: str) -> list[str]:
    """The lines `name==version`, with their markers and without their hashes."""
    return [line.rstrip(" \\") for line in requirements.splitlines() if re.match(r"[A-Za-z0-9]", line)]


if __name__ == "__main__":
    lines = [f"      - {pin!r}" if ";" in pin else f"      - {pin}" for pin in pins((FOLDER / "requirements.txt").read_text())]
    (FOLDER / "environment.yaml").write_text(HEAD + "\n".join(lines) + "\n")
