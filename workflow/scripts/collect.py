from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("collect the cells into tables")
    from promptatlas import collect
    from promptatlas.study import Study

    collect.collect(Study(snakemake.config))
