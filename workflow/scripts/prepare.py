from pathlib import Path

from promptatlas.base.progress import reporting

if __name__ == "__main__":  # the processes that decode import this file again
    with reporting(snakemake.log[0]) as say:
        say(f"prepare {snakemake.wildcards.task}")
        from promptatlas.runs import prepare
        from promptatlas.study.study import Study

        mark = Path(snakemake.input.look).name if snakemake.input.look else ""
        prepare.prepare(Study(snakemake.config), snakemake.wildcards.task, snakemake.threads, say, mark)
