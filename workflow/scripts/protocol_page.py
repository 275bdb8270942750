from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("write the report")
    import json
    from pathlib import Path

    import pandas as pd

    from promptatlas.report.page import protocol
    from promptatlas.study.study import Study

    study = Study(snakemake.config)
    protocol.write(
        table=pd.read_parquet(snakemake.input.protocol),
        tasks=pd.read_parquet(snakemake.input.tasks),
        config=study.description,
        summary=json.loads(Path(snakemake.input.summary).read_text()),
        path=Path(snakemake.output[0]),
    )
