from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say(f"prepare {snakemake.wildcards.task}")
    from promptatlas.jobs import prepare
    from promptatlas.study import Study

    prepare.prepare(Study(snakemake.config), snakemake.wildcards.task, snakemake.threads, say)
