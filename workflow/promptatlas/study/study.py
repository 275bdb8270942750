"""A study: what it is about (`scope`), the jobs that do it, and what comes of them.

Knows nothing of torch, Snakemake or what is in the files.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from promptatlas.evaluation import similarity
from promptatlas.records.cells import Cell
from promptatlas.study.designs import EXPLAINED
from promptatlas.study.job_list import Jobs
from promptatlas.study.jobs import Job
from promptatlas.study.scope import Scope

TABLES = ("transfer", "baselines", "methods", "tuning", "tasks", "shared_images")


class Study(Scope):
    """Everything that can be said about a study before anything is computed."""

    def __init__(self, config: dict[str, Any]):
        super().__init__(config)
        self.jobs = Jobs(self)

    @cached_property
    def cells(self) -> list[Cell]:
        return [cell for job in self.jobs.transfer for cell in job.cells()]

    @property
    def prepared(self) -> list[Path]:
        return [path for job in self.jobs.prepare for path in job.files]

    @property
    def all_scores(self) -> list[Path]:
        """Everything that jobs beside the matrix make."""
        jobs: list[Job] = [*self.jobs.share, *self.jobs.adapt]
        return [path for job in jobs for path in job.outputs]

    @property
    def score_records(self) -> list[Path]:
        return [
            self.paths.score(method, seed, task)
            for method in (*self.shared_methods, *self.adapter_methods)
            for seed in self.seeds
            for task in self.tasks
        ]

    @property
    def all_prompts(self) -> list[Path]:
        return [path for job in self.jobs.tune for path in job.outputs]

    @property
    def all_tries(self) -> list[Path]:
        return [path for job in self.jobs.tries for path in job.outputs]

    @property
    def comparison_inputs(self) -> list[Path]:
        """The indices of what tasks are compared by: their features, and their prompts if a measure of similarity needs any."""
        tuned = self.jobs.tune if "prompts" in similarity.needs(self.config["similarity"]) else ()
        return [self.paths.index(job.name) for job in (*self.jobs.encode, *tuned)]

    @property
    def measures(self) -> list[Path]:
        """What stands for the rows of each measure in the table `similarity`."""
        if "similarity" not in self.design.ending.tables:
            return []
        return [self.paths.measure(one.name) for one in similarity.chosen(self.config["similarity"])]

    @property
    def all_cells(self) -> list[Path]:
        return [path for job in self.jobs.transfer for path in job.outputs]

    @property
    def tables(self) -> list[Path]:
        shared = ("joint",) if self.multitask.joint else ()
        chosen = ("choice",) if self.tries else ()
        return [path for name in (*TABLES, *self.design.ending.tables, *shared, *chosen) for path in self.paths.table(name)]

    @property
    def first_page(self) -> list[Path]:
        """What shows the first of several matrices, until there is a report: nothing if the first is the last or a page shows no matrix."""
        more = len(self.jobs.first) < len(self.jobs.transfer)
        return [self.paths.so_far] if more and self.design.ending is EXPLAINED else []

    @property
    def conclusions(self) -> list[Path]:
        """What is made of the tables."""
        figures = [self.paths.figures] if self.design.ending.figures else []
        return [self.paths.summary, self.paths.report, self.paths.provenance_file, *figures]
