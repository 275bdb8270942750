from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("collect the cells into tables")
    from promptatlas.runs import tables
    from promptatlas.study.study import Study

    tables.collect(Study(snakemake.config))
