from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("draw the training pictures")
    from promptatlas.jobs import prepare
    from promptatlas.study import Study

    prepare.draws(Study(snakemake.config), say)
