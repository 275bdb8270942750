from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.jobs import probe
    from promptatlas.study import Study

    study = Study(snakemake.config)
    probe.fit(study, study.job(snakemake.rule), say)
