from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("train the mini backbone")
    from promptatlas.training import pretrain_mini

    pretrain_mini.pretrain(snakemake.output[0])
