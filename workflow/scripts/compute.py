from pathlib import Path

from promptatlas.base import freed_memory
from promptatlas.base.progress import reporting

freed_memory.keep()  # of this process, which does one job; whoever calls the library keeps a heap of their own

with reporting(snakemake.log[0]) as say:
    from promptatlas.runs import engine
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    # The log has the name of the job; the rule has another in a workflow that takes this one as a module.
    engine.run(study, study.jobs.named(Path(snakemake.log[0]).stem), snakemake.threads, say)
