"""Gains over what was there before, of a finished study, of the folder of an analysis, or of a given matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from promptatlas.analysis.any_matrix import scales as given_scales
from promptatlas.analysis.any_matrix.given import Given
from promptatlas.analysis.statistics import matrices, scales
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line, plain

HAND_WRITTEN, BASELINE = "the zero-shot prompt", "the baseline"


@dataclass(frozen=True)
class GainsBySeed:
    """Of one protocol, empty where matrices were given for one only, and method: values (S, n, n) by seed, source and target, NaN where one
    is missing. unit: of the values, in words; before: what they are gains over."""

    protocol: str
    method: str
    tasks: tuple[str, ...]
    values: np.ndarray
    unit: str
    before: str

    @property
    def title(self) -> str:
        return " ".join(plain(word) for word in (self.protocol, self.method) if word)


def of_folder(folder: Path) -> list[GainsBySeed]:
    """From the tables in a folder of results. UserError where it has none, or none with gains."""
    try:
        transfer, tasks = (pd.read_parquet(folder / "tables" / f"{name}.parquet") for name in ("transfer", "tasks"))
    except FileNotFoundError:
        raise UserError(
            f"{folder} has no tables of a finished study or analysis; run the study to its end, or name another folder"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"the tables in {folder} cannot be read ({one_line(error)}); make them again") from None
    if "score" in transfer:
        return of_tables(transfer, tasks)
    if "gain" not in transfer:
        raise UserError(f"{folder} has no gains, as it has no baseline; run `promptatlas analyse` again with --baseline")
    names = tuple(sorted(tasks["task"]))
    groups, several = transfer.groupby(["protocol", "method"], sort=False), transfer["protocol"].nunique() > 1
    return [_pivoted(protocol * several, method, part, names) for (protocol, method), part in groups]


def of_tables(transfer: pd.DataFrame, tasks: pd.DataFrame) -> list[GainsBySeed]:
    """From the tables of these names of a study."""
    return [
        GainsBySeed(one.protocol, one.method, one.tasks, scales.matrix(one, "gain_points"), "points", HAND_WRITTEN)
        for one in matrices.collect(transfer, tasks)
    ]


def of_given(given: Given) -> list[GainsBySeed]:
    """From matrices as `analyse` reads them. UserError where there is no baseline."""
    known, missing = given_scales.available(given)
    if "gain" not in known:
        raise UserError(f"what a source gains is not known: {missing['gain']}")
    scale = known["gain"]
    several = len({one.protocol for one in given.matrices}) > 1
    return [GainsBySeed(one.protocol * several, one.method, one.tasks, scale.matrix(one), scale.unit, BASELINE) for one in given.matrices]


def _pivoted(protocol: str, method: str, rows: pd.DataFrame, names: Sequence[str]) -> GainsBySeed:
    """From a long table; sources that are no tasks are left out."""
    own = rows[rows["source"].isin(names)]
    seeds, places = sorted(rows["seed"].unique()), {name: place for place, name in enumerate(names)}
    values = np.full((len(seeds), len(names), len(names)), np.nan)
    index = own["seed"].map(seeds.index), own["source"].map(places), own["target"].map(places)
    values[tuple(one.to_numpy() for one in index)] = own["gain"]
    return GainsBySeed(protocol, method, tuple(names), values, "", BASELINE)
