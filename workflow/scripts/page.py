from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("write the report")
    import json
    from pathlib import Path

    import pandas as pd

    from promptatlas.records import cells
    from promptatlas.report import page
    from promptatlas.report.page.study_data import StudyData
    from promptatlas.runs.asked import Asked
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    names = ("transfer", "similarity", "statistics", "tasks", "tuning", "pairs")
    page.write(
        tables={name: pd.read_parquet(snakemake.input[name]) for name in names},
        config=study.description | {"results": study.config["results"]},
        cells=(cells.read(path) for path in study.all_cells if path.exists()),
        path=Path(snakemake.output[0]),
        summary=json.loads(Path(snakemake.input.summary).read_text()),
        beside=StudyData.study(study, Asked.noted()),
    )
