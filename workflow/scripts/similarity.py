from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("measure the similarity of tasks")
    from promptatlas import collect, similarity
    from promptatlas.jobs import prepare
    from promptatlas.study import Study

    study = Study(snakemake.config)
    measures = snakemake.params.measures
    table = similarity.compute(prepare.all_comparable(study), None if measures == "all" else measures)
    collect.save(table, study.table("similarity"))
