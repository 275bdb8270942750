from promptatlas.base.progress import reporting

with reporting(snakemake.log[0]) as say:
    say("train the mini backbone")
    import mini_clip  # beside this file, where Snakemake looks

    mini_clip.pretrain(snakemake.output[0])
