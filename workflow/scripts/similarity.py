from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("measure the similarity of tasks")
    from promptatlas import collect, similarity
    from promptatlas.jobs import prepare
    from promptatlas.study import Study

    study = Study(snakemake.config)
    tasks = {name: prepare.comparable(study, name) for name in study.tasks}
    measures = snakemake.params.measures
    table = similarity.compute(tasks, None if measures == "all" else measures)
    collect.save(table, study.table("similarity"))
