from pathlib import Path

from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.jobs import backbone
    from promptatlas.study import Study

    backbone.export(Study(snakemake.config), Path(snakemake.input.look).name if snakemake.input.look else "", say)
