from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say(f"export the backbone {snakemake.params.model}")
    from promptatlas.backbone import export
    from promptatlas.study import Study

    export.export(snakemake.params.model, snakemake.params.pretrained, Study(snakemake.config).backbone_folder)
