from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("measure the similarity of tasks")
    from promptatlas import collect, encoding, similarity
    from promptatlas.study import Study
    from promptatlas.tasks.prepared import PreparedTask

    study = Study(snakemake.config)
    tasks = {
        name: (PreparedTask.open(study.task_folder(name)).task, encoding.load(study.encoded(name))[0])
        for name in study.tasks
    }
    measures = snakemake.params.measures
    table = similarity.compute(tasks, None if measures == "all" else measures)
    collect.save(table, study.table("similarity"))
