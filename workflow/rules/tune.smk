# Source prompts. A job keeps the prompts that still hold and learns the others.

for job in study.jobs.tune:

    rule:
        name:
            job.name
        input:
            job.inputs,
            backbone=backbone_files,
            again=again(job.outputs),
        output:
            update(job.outputs),
        log:
            study.paths.log(job.name),
        benchmark:
            study.paths.benchmark(job.name)
        params:
            **job.params,
        resources:
            **session.resources(study, gpus=study.gpus),
        message:
            job.message
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/compute.py"


# What cells depend on: the contents of many files in one. Snakemake notes every input beside every output, and for
# thousands of cells that would take longer than measuring them.
rule index:
    input:
        lambda wildcards: study.jobs.named(wildcards.job).outputs,
    output:
        study.paths.index("{job}"),
    log:
        study.paths.log("index_{job}"),
    benchmark:
        study.paths.benchmark("index_{job}")
    localrule: True
    message:
        "Note the contents of what {wildcards.job} made"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/index.py"
