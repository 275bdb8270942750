from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.jobs import prepare
    from promptatlas.study import Study

    prepare.encode(Study(snakemake.config), snakemake.params.tasks, snakemake.threads, say)
