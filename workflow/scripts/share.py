from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.runs import share
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    share.learn(study, study.jobs.named(snakemake.rule), snakemake.threads, say)
