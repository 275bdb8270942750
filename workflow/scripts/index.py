from promptatlas.reporting import reporting

with reporting(snakemake.log[0]):
    from pathlib import Path

    from promptatlas.jobs import prepare

    prepare.index(Path(snakemake.output[0]), snakemake.input)
