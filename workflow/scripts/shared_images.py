from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("see which tasks share images")
    from promptatlas.runs import tables
    from promptatlas.study.study import Study

    tables.find_shared_images(Study(snakemake.config), say)
