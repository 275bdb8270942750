from promptatlas.reporting import reporting

with reporting(snakemake.log[0]):
    from promptatlas import collect
    from promptatlas.study import Study

    collect.collect(Study(snakemake.config))
