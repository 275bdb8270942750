from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("put the scores into the layout of papers")
    import pandas as pd

    from promptatlas.analysis import paper_protocols
    from promptatlas.records import cells
    from promptatlas.runs import tables
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    transfer, tasks, baselines, shared = (pd.read_parquet(path) for path in snakemake.input)
    measured = paper_protocols.measured(transfer, study.design)
    table = paper_protocols.with_published(measured, study.design, study.backbone.weights, study.shots, study.config)
    tables.save(table, study.paths.table("protocol"))
    summary = paper_protocols.summary(table, transfer, tasks, baselines, study.design, shared)
    cells.write(study.paths.summary, summary)
