from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("relate similarity to transfer")
    import json
    from pathlib import Path

    import pandas as pd

    from promptatlas.analysis import statistics
    from promptatlas.runs import tables
    from promptatlas.study.multitask import ROWS
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    names = ("transfer", "similarity", "tasks", "baselines", "methods", "shared")
    transfer, similarity, tasks, baselines, methods, shared = (pd.read_parquet(snakemake.input[name]) for name in names)
    joint = pd.read_parquet(snakemake.input.joint) if snakemake.input.joint else None
    permutations = snakemake.params.permutations
    table = statistics.analyse(transfer, similarity, tasks, permutations=permutations, primary=snakemake.params.primary)
    tables.save(table, study.paths.table("statistics"))
    summary = statistics.summary(transfer, similarity, table, tasks, baselines, permutations, methods, joint, ROWS, shared)
    Path(study.paths.summary).write_text(json.dumps(summary, indent=1) + "\n")
