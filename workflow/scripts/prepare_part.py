from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say(f"take the {snakemake.wildcards.part} classes of {snakemake.wildcards.whole}")
    from promptatlas.runs import prepare
    from promptatlas.study.study import Study

    prepare.prepare_part(Study(snakemake.config), f"{snakemake.wildcards.whole}@{snakemake.wildcards.part}", say)
