# Source prompts. A job keeps the prompts that still hold and learns the others.

for job in study.jobs.tune:

    rule:
        name:
            job.name
        input:
            backbone=backbone_files,
            tasks=study.paths.task_records(job.tasks),
            draws=study.tuning_draws(job),
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.paths.log(job.name),
        benchmark:
            study.paths.benchmark(job.name)
        params:
            **study.provenance(job.method),
            method=job.method,
            tasks=job.tasks,
            seeds=job.seeds,
        resources:
            **session.resources(study, gpus=study.gpus),
        message:
            study.tuning_message(job)
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/tune.py"


# What cells depend on: the contents of many files in one. Snakemake notes every input beside every output, and for
# thousands of cells that would take longer than measuring them.
rule index:
    input:
        lambda wildcards: study.outputs(study.jobs.named(wildcards.job)),
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
