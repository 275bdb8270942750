from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.runs import engine
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    engine.run(study, study.jobs.named(snakemake.rule), snakemake.threads, say)
