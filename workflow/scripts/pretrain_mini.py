from promptatlas.reporting import reporting

with reporting(snakemake.log[0]):
    from promptatlas.backbone import pretrain

    pretrain.pretrain(snakemake.output[0])
