from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    from pathlib import Path

    from promptatlas.report import so_far
    from promptatlas.runs.asked import Asked
    from promptatlas.study.study import Study

    say(so_far.first(Study(snakemake.config), Path(snakemake.output[0]), Asked.noted()))
