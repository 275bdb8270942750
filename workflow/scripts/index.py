from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]):
    from pathlib import Path

    from promptatlas.runs import index

    index.index(Path(snakemake.output[0]), snakemake.input)
