from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("measure the similarity of tasks")
    from promptatlas.evaluation import similarity
    from promptatlas.runs import prepare, tables
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    measures = snakemake.params.measures  # names, or "all"
    table = similarity.compute(prepare.all_comparable(study), measures)
    tables.save(table, study.paths.table("similarity"))
