from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("write the table and the report")
    from promptatlas.recommendation import several
    from promptatlas.recommendation.targets import Targets

    several.conclude(Targets.of(snakemake.config))
