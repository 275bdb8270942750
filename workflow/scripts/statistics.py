from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("relate similarity to transfer")
    import pandas as pd

    from promptatlas.analysis import statistics
    from promptatlas.analysis.budget import gains, record
    from promptatlas.records import cells
    from promptatlas.runs import tables
    from promptatlas.study.multitask import ROWS
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    names = ("transfer", "similarity", "tasks", "baselines", "methods", "shared", "pairs")
    transfer, similarity, tasks, baselines, methods, shared, pairs = (pd.read_parquet(snakemake.input[name]) for name in names)
    joint = pd.read_parquet(snakemake.input.joint) if snakemake.input.joint else None
    choice = pd.read_parquet(snakemake.input.choice) if snakemake.input.choice else None
    permutations, primary, together = (snakemake.params[key] for key in ("permutations", "primary", "together"))
    table = statistics.analyse(transfer, similarity, tasks, permutations, primary, baselines)
    explained = statistics.explain(transfer, similarity, tasks, permutations, together, primary, baselines)
    contrasts = statistics.contrast(transfer, similarity, tasks, baselines)
    for name, one in (("statistics", table), ("explained", explained), ("contrasts", contrasts)):
        tables.save(one, study.paths.table(name))
    budget = record.records(gains.of_tables(transfer, tasks))
    summary = statistics.summary(
        transfer,
        similarity,
        table,
        tasks,
        baselines,
        permutations,
        methods,
        joint,
        ROWS,
        shared,
        choice,
        explained,
        contrasts,
        pairs,
        budget,
    )
    cells.write(study.paths.summary, summary)
