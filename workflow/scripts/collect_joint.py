from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("collect single, joint and source-initialised scores into a table")
    from promptatlas import collect
    from promptatlas.study import Study

    study = Study(snakemake.config)
    collect.save(collect.joint_table(study), study.table("joint"))
