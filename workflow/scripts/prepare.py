from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say(f"prepare {snakemake.wildcards.task}")
    from promptatlas.study import Study
    from promptatlas.tasks import catalogue

    study, task = Study(snakemake.config), snakemake.wildcards.task
    catalogue.prepare(task, study.task_folder(task))
