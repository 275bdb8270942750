# Prompts that several tasks share: multitask source prompts, and groups of targets that adapt together.

for job in study.multitask_jobs:

    rule:
        name:
            job.name
        input:
            backbone=backbone_files,
            tasks=study.task_records(study.tasks),
            draws=study.draws,
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.log(job.name),
        benchmark:
            study.benchmark(job.name)
        params:
            **study.union,
            **study.provenance(job.method),
            multitask=study.config["multitask"],
            targets=job.targets,
        resources:
            **session.resources(study, gpus=study.gpus),
        message:
            f"Tune {job.method} on many tasks at once; what still holds is kept"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/multitask.py"


for job in study.joint_jobs:

    rule:
        name:
            job.name
        input:
            backbone=backbone_files,
            indices=study.joint_inputs(job),
            draws=study.draws,
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.log(job.name),
        benchmark:
            study.benchmark(job.name)
        params:
            **study.union,
            **study.provenance(job.method),
            groups=study.joint,
            multitask=study.config["multitask"],
        resources:
            **session.resources(study, gpus=study.gpus),
        message:
            f"Tune {job.method} on groups of tasks that share a prompt; what still holds is kept"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/joint.py"


if study.joint:

    rule collect_joint:
        input:
            [path for job in study.joint_jobs for path in study.outputs(job)],
            again=again(study.table("joint")),
        output:
            study.table("joint"),
        log:
            study.log("collect_joint"),
        benchmark:
            study.benchmark("collect_joint")
        localrule: True
        message:
            "Collect single, joint and source-initialised scores into a table"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/collect_joint.py"
