from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.recommendation import several
    from promptatlas.recommendation.targets import Targets

    several.answer(Targets.of(snakemake.config), snakemake.wildcards.target, snakemake.threads, say)
