from promptatlas.reporting import reporting

if __name__ == "__main__":  # the processes that decode import this file again
    with reporting(snakemake.log[0]) as say:
        say(f"prepare {snakemake.wildcards.task}")
        from promptatlas.jobs import prepare
        from promptatlas.study import Study

        prepare.prepare(Study(snakemake.config), snakemake.wildcards.task, snakemake.threads, say)
