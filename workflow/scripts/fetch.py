from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.runs import fetch
    from promptatlas.study.study import Study

    fetch.fetch(Study(snakemake.config), say)
