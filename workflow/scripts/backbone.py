from promptatlas.reporting import reporting

with reporting(snakemake.log[0]):
    from promptatlas.backbone import export
    from promptatlas.study import Study

    export.export(snakemake.params.model, snakemake.params.pretrained, Study(snakemake.config).backbone_folder)
