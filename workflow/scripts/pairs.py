from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("see how sure each pair is")
    import pandas as pd

    from promptatlas.analysis.pairs.of_study import columns
    from promptatlas.analysis.pairs.table import pairs
    from promptatlas.runs import tables
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    tables.save(pairs(columns(study, pd.read_parquet(snakemake.input.transfer))), study.paths.table("pairs"))
