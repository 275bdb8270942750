from pathlib import Path

from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    from promptatlas.runs import export_backbone
    from promptatlas.study.study import Study

    export_backbone.export(Study(snakemake.config), Path(snakemake.input.look).name if snakemake.input.look else "", say)
