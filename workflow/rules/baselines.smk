# What the matrix is compared with: learners shared by all tasks, and adapters on frozen features. A job keeps the scores
# that still hold and computes the others.

for job in study.jobs.share:

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


for job in study.jobs.adapt:

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
