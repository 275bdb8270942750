from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("relate similarity to transfer")
    import pandas as pd

    from promptatlas.analysis import statistics
    from promptatlas.records import cells
    from promptatlas.runs import tables
    from promptatlas.study.multitask import ROWS
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    names = ("transfer", "similarity", "tasks", "baselines", "methods", "shared")
    transfer, similarity, tasks, baselines, methods, shared = (pd.read_parquet(snakemake.input[name]) for name in names)
    joint = pd.read_parquet(snakemake.input.joint) if snakemake.input.joint else None
    choice = pd.read_parquet(snakemake.input.choice) if snakemake.input.choice else None
    permutations = snakemake.params.permutations
    table = statistics.analyse(transfer, similarity, tasks, permutations, snakemake.params.primary, baselines)
    tables.save(table, study.paths.table("statistics"))
    summary = statistics.summary(transfer, similarity, table, tasks, baselines, permutations, methods, joint, ROWS, shared, choice)
    cells.write(study.paths.summary, summary)
