from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("write the report")
    import json
    from pathlib import Path

    import pandas as pd

    from promptatlas.report.page import few_shot
    from promptatlas.study.study import Study

    few_shot.write(
        tasks=pd.read_parquet(snakemake.input.tasks),
        config=Study(snakemake.config).description,
        summary=json.loads(Path(snakemake.input.summary).read_text()),
        path=Path(snakemake.output[0]),
    )
