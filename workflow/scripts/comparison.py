from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("compare the methods")
    from pathlib import Path

    import pandas as pd

    from promptatlas.analysis.statistics import few_shot
    from promptatlas.records import cells
    from promptatlas.report import figures
    from promptatlas.study.multitask import ROWS
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    names = ("transfer", "tasks", "baselines", "methods", "shared")
    tables = {name: pd.read_parquet(snakemake.input[name]) for name in names}
    joint = pd.read_parquet(snakemake.input.joint) if snakemake.input.joint else None
    printed = few_shot.published_means(study.design, study.backbone.weights, study.shots, study.config)
    summary = few_shot.summary(**tables, joint=joint, sources=ROWS, printed=printed, design=study.design.name)
    figures.draw_comparison(summary, Path(snakemake.output.figures))
    cells.write(study.paths.summary, summary)
