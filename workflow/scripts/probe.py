from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.runs import probe
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    probe.fit(study, study.jobs.named(snakemake.rule), say)
