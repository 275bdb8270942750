from promptatlas.reporting import reporting

with reporting(snakemake.log[0]) as say:
    say("train the mini backbone")
    from promptatlas.backbone import pretrain

    pretrain.pretrain(snakemake.output[0])
