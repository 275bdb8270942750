from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("put the scores into the layout of papers")
    import json
    from pathlib import Path

    import pandas as pd

    from promptatlas import collect, protocols
    from promptatlas.study import Study

    study = Study(snakemake.config)
    transfer, tasks, baselines, shared = (pd.read_parquet(path) for path in snakemake.input)
    measured = protocols.measured(transfer, study.design)
    table = protocols.with_published(measured, study.design, study.weights, study.shots, study.config)
    collect.save(table, study.table("protocol"))
    summary = protocols.summary(table, transfer, tasks, baselines, study.design, shared)
    Path(study.summary).write_text(json.dumps(summary, indent=1) + "\n")
