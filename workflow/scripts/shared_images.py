from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("see which tasks share images")
    from promptatlas import collect
    from promptatlas.study import Study

    collect.find_shared_images(Study(snakemake.config), say)
