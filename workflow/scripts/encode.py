from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.jobs import prepare
    from promptatlas.study import Study

    study = Study(snakemake.config)
    prepare.encode(study, study.job(snakemake.rule), snakemake.threads, say)
