from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("collect single, joint and source-initialised scores into a table")
    from promptatlas.runs import tables
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    tables.save(tables.joint_table(study), study.paths.table("joint"))
