"""Transfer matrices and tables that others have printed. Knows nothing of this project's own results.

`mvlpt_fig4.csv` is figure 4 of MVLPT: 20 ELEVATER tasks, CLIP ViT-B/16, 20 pictures per class, prompts used unchanged
(our protocol "frozen"). Its scale is the share of the best score in the target's column, own prompt included. The
numbers were read off the printed colours; which seeds they average is not known. The authors' code scores hateful-memes
by accuracy and voc-2007-classification on raw logits, where ELEVATER takes the ROC AUC and softmax probabilities.

`protocols.csv` holds base-to-new, cross-dataset and domain generalisation; what is known of it is said there.
"""

from functools import cache
from pathlib import Path

import pandas as pd

from promptatlas.errors import UserError

SOURCE = "Shen et al., Multitask Vision-Language Prompt Tuning, WACV 2024, arXiv 2211.11720, figure 4"
PRECISION = 0.01
PROTOCOL_WEIGHTS = "ViT-B-16/openai"
PROTOCOL_SHOTS = 16


@cache
def _table() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).parent / "mvlpt_fig4.csv", comment="#")


def methods() -> tuple[str, ...]:
    """The methods for which there is a printed matrix."""
    return tuple(_table()["method"].unique())


def fig4(method: str) -> pd.DataFrame:
    """The printed matrix of `method`: 20 sources (rows) by 20 targets (columns), ratios 0..1."""
    table = _table()
    rows = table[table["method"] == method]
    if rows.empty:
        raise UserError(f"Figure 4 of MVLPT has no method {method!r}; it has {', '.join(methods())}.")
    names = list(dict.fromkeys(rows["source"]))
    return rows.pivot(index="source", columns="target", values="ratio").loc[names, names]


@cache
def protocols() -> pd.DataFrame:
    """Printed scores (0..1) of protocols: design, method, source, target (or `average`), measure, score, reference."""
    table = pd.read_csv(Path(__file__).parent / "protocols.csv", comment="#", keep_default_na=False)
    return table.assign(score=table.pop("percent") / 100)
