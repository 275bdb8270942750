"""The test score of a prompt on its own task, where it lies in the folder of a study that measured it."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.exchange.inference import Prompt
from promptatlas.records import cells, learner_file, score
from promptatlas.records.cells import Cell
from promptatlas.study.paths import Paths
from promptatlas.study.protocols import FROZEN


def own_score(prompt: Prompt) -> dict[str, Any] | None:
    """metric and score; None if nothing beside the prompt was measured with this very prompt, or it is damaged."""
    method, seed, task = (prompt.card[key] for key in ("method", "seed", "task"))
    path = prompt.path.absolute()
    for paths in map(Paths.at, path.parents):
        if paths.prompt(method, seed, task) == path:
            records = _records(paths, prompt, Cell(FROZEN.name, method, seed, task, task))
            return next(({"metric": one["metric"], "score": one["score"]} for one in records if one["score"] is not None), None)
    return None


def _records(paths: Paths, prompt: Prompt, cell: Cell) -> Iterator[dict[str, Any]]:
    """A cell of the matrix; the score of a shared learner. Each was made with this prompt."""
    own = prompt.trained.fingerprint()
    with suppress(UserError):
        record = cells.read(paths.cell(cell))
        if record["parts"].get("prompt") == own:
            yield record
    with suppress(UserError):
        given, learner = learner_file.prompt(paths.shared(cell.method, cell.seed), cell.target)
        record = score.read(paths.score(cell.method, cell.seed, cell.target))
        if given.fingerprint() == own and record["parts"].get("learner") == learner:
            yield record
