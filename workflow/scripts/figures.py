from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("draw the figures")
    from pathlib import Path

    import pandas as pd

    from promptatlas.base import plugins
    from promptatlas.report import figures

    plugins.load(snakemake.config.get("plugins", []))  # titles of what they register
    names = ("transfer", "similarity", "statistics", "tasks", "methods")
    tables = {name: pd.read_parquet(snakemake.input[name]) for name in names}
    folder = Path(snakemake.output[0])
    folder.mkdir(parents=True, exist_ok=True)
    figures.draw(**tables, folder=folder, wanted=snakemake.config["methods"], say=say)
