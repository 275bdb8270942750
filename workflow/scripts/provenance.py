from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("note what the study was made with")
    from promptatlas import provenance
    from promptatlas.study import Study

    provenance.write(Study(snakemake.config))
