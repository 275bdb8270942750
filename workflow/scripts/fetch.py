from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.jobs import fetch
    from promptatlas.study import Study

    fetch.fetch(Study(snakemake.config), say)
