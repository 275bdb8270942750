from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("measure the similarity of tasks")
    from promptatlas.runs import compare, tables
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    tables.save(compare.table(study, say), study.paths.table("similarity"))
