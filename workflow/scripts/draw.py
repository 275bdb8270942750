from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("draw the training pictures")
    from promptatlas.runs import prepare
    from promptatlas.study.study import Study

    prepare.draws(Study(snakemake.config), say)
