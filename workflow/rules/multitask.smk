# Prompts that several tasks share: multitask source prompts, and groups of targets that adapt together.

for job in study.jobs.multitask:

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


for job in study.jobs.joint:

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


if study.multitask.joint:

    rule collect_joint:
        input:
            [path for job in study.jobs.joint for path in job.outputs],
            again=again(study.paths.table("joint")),
        output:
            study.paths.table("joint"),
        log:
            study.paths.log("collect_joint"),
        benchmark:
            study.paths.benchmark("collect_joint")
        localrule: True
        message:
            "Collect single, joint and source-initialised scores into a table"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/collect_joint.py"
