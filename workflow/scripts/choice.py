from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("see how well prompts can be chosen by a few labelled images")
    import pandas as pd

    from promptatlas.analysis.choice import of_study
    from promptatlas.runs import tables
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    close = pd.read_parquet(snakemake.input.similarity) if snakemake.input.similarity else None
    tables.save(of_study.table(study, pd.read_parquet(snakemake.input.transfer), say, close), study.paths.table("choice"))
