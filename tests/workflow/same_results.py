"""Whether two studies came to the same results, to the bit."""

from pathlib import Path

import pandas as pd
from safetensors import safe_open

from tiny_study import Finished, differing


def assert_same(study: Finished, other: Finished) -> None:
    """But for seconds, memory and the order of names in the heads of safetensors."""
    assert study.measured() == other.measured()
    for folder in ("tasks", "draws", "figures"):
        assert differing(study.contents(folder), other.contents(folder)) == set(), folder
    for folder in ("encoded", "prompts"):
        assert differing(held(study.results / folder), held(other.results / folder)) == set(), folder
    tables = [path.name for path in (study.results / "tables").glob("*.parquet")]
    assert "transfer.parquet" in tables and "statistics.parquet" in tables
    for name in tables:
        own, its = (
            pd.read_parquet(one.results / "tables" / name).drop(columns=["seconds", "peak_mib"], errors="ignore") for one in (study, other)
        )
        pd.testing.assert_frame_equal(own, its, check_exact=True)


def held(folder: Path) -> dict[str, tuple]:
    """What is in each file of arrays, without the time it took."""
    found = {}
    for path in folder.rglob("*.safetensors"):
        with safe_open(path, "np") as file:
            noted = {name: value for name, value in file.metadata().items() if name != "seconds"}
            found[str(path.relative_to(folder))] = noted, {name: file.get_tensor(name).tobytes() for name in file.keys()}
    assert found
    return found
