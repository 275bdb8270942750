from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("describe tasks, tuning and baselines")
    import pandas as pd

    from promptatlas.runs import tables
    from promptatlas.study.study import Study

    transfer, shared = (pd.read_parquet(snakemake.input[name]) for name in ("transfer", "shared"))
    tables.describe(Study(snakemake.config), transfer, shared, say)
