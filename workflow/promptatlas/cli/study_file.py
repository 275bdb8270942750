"""A study from Python, by its configuration: run it, read its tables, draw its matrices. What a notebook needs.

Running calls Snakemake in a process of its own, as `promptatlas run` does.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import suggest
from promptatlas.cli import configured, run
from promptatlas.study.study import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NEAR = 0.7  # of a table's name: most are words that share letters with any other
PATIENCE = 2  # seconds in which Snakemake, which an interrupt of a terminal reaches by itself, begins to end


class StudyFile:
    """A study by its configuration file.

    configfile: such as `my-study/config.yaml`. The study lives in the folder of that file, with its results, data and caches, wherever
    Python was started. A file of another name goes on top of a `config.yaml` that stands beside it; a folder stands for its `config.yaml`.
    values: keys of the configuration that are to be otherwise, such as `seeds=[1]`.

    UserError, in one sentence, for a file that does not exist and for everything that is wrong with what it says.
    """

    def __init__(self, configfile: str | Path = configured.USUAL, **values: Any):
        file = Path(configfile).expanduser().absolute()
        file = file / configured.USUAL if (file / configured.USUAL).is_file() else file
        if not file.is_file():
            raise UserError(f"there is no {file}; `promptatlas new FOLDER` writes a configuration")
        self._file, self._folder = Path(file.name), file.parent
        self._values = [f"{key}={_written(value)}" for key, value in values.items()]
        self._study = self._read()

    def __repr__(self) -> str:
        return f"<study {self.name} in {self.results}>"

    @property
    def name(self) -> str:
        """What the configuration calls the study."""
        return self._study.name

    @property
    def results(self) -> Path:
        """The folder of everything that the study produces, as a whole path."""
        return self._folder / self._study.folder

    @property
    def report(self) -> Path:
        """The page of the finished study."""
        return self.results / "report.html"

    @property
    def tables(self) -> list[str]:
        """Names of the tables that are there now. docs/tables.md says what each holds."""
        return sorted(path.stem for path in (self.results / "tables").glob("*.parquet"))

    def run(self, *options: str) -> StudyFile:
        """Do what is missing or no longer valid, and nothing else; the study itself, so that calls can be chained.

        options: of Snakemake, such as "--cores", "2" or "--dry-run"; without any all cores are used. What Snakemake says is printed as it
        comes. An interrupt ends it as in a terminal: finished results stay, and the next run goes on.

        UserError if it ends with a failure.
        """
        file = [] if self._file == configured.USUAL else ["--configfile", str(self._file)]
        values = ["--config", *self._values] if self._values else []
        words = run.command([*options, *file, *values])  # the last two take as many words as come
        with subprocess.Popen(
            words, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as job:
            assert job.stdout is not None, "it was asked for"
            try:
                for line in job.stdout:
                    print(line, end="", flush=True)
            except BaseException:
                _end(job)
                raise
        if job.returncode:
            raise UserError(
                f"the study {self.name} did not come to its end (status {job.returncode}); what is wrong is printed above, and the next "
                "run goes on from here"
            )
        self._study = self._read()
        return self

    def table(self, name: str) -> pd.DataFrame:
        """One table of the study, such as "transfer": one row per cell. UserError if it is not there, or not yet."""
        import pandas as pd

        path = self.results / "tables" / f"{name}.parquet"
        if not path.is_file():
            there = self.tables
            advice = suggest(name, there, nearest=NEAR) if there else "run() makes the tables"
            raise UserError(f"the study {self.name} has no table {name!r}; {advice}")
        return pd.read_parquet(path)

    def plot_matrix(self, method: str | None = None, view: str = "gain_points", protocol: str | None = None) -> Figure:
        """The transfer matrix of one method as a heatmap: rows are the tasks of prompts, columns those that they are used on.

        method, protocol: as the configuration names them; without one, the first that the study has. view: `gain_points` (points over
        the zero-shot score), `relationship`, `chance_corrected`, `perfection_gap`, `column_ratio`, `raw` or `over_scratch`. A notebook
        shows the figure; `savefig` saves it.

        UserError for names that the study does not have, and for a view in which it has nothing to show.
        """
        from promptatlas.report.figures import shown_matrix

        figure: Figure = shown_matrix.drawn(self.table("transfer"), self.table("tasks"), method, view, protocol)
        return figure

    def _read(self) -> Study:
        """The study as its folder sees it, from where its paths count."""
        with contextlib.chdir(self._folder):
            return Study(configured.configured([*dict.fromkeys(configured.files_of(self._file))], configured.given_values(self._values)))


def _written(value: Any) -> str:
    """A value for the command line. Texts stand in quotes, so that "2024" is no number and "null" not nothing, and these in spaces, since
    Snakemake takes quotes at both ends away.
    """
    text = json.dumps(value, ensure_ascii=False)
    return f" {text} " if isinstance(value, str) else text


def _end(job: subprocess.Popen[str]) -> None:
    try:
        job.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        job.send_signal(signal.SIGINT)
        job.wait()
