from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("describe tasks, tuning and baselines")
    import pandas as pd

    from promptatlas import collect
    from promptatlas.study import Study

    transfer, shared = (pd.read_parquet(snakemake.input[name]) for name in ("transfer", "shared"))
    collect.describe(Study(snakemake.config), transfer, shared, say)
