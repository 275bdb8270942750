from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("note what the study was made with")
    from promptatlas.runs import provenance
    from promptatlas.study.study import Study

    provenance.write(Study(snakemake.config))
