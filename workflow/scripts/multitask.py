from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.jobs import multitask
    from promptatlas.study import Study

    study = Study(snakemake.config)
    multitask.learn(study, study.job(snakemake.rule), snakemake.threads, say)
