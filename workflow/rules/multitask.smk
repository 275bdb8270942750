# Prompts that several tasks share: multitask source prompts, and groups of targets that adapt together.

for job in study.jobs.multitask:

    rule:
        name:
            job.name
        input:
            backbone=backbone_files,
            tasks=study.paths.task_records(study.tasks),
            draws=study.draws,
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.paths.log(job.name),
        benchmark:
            study.paths.benchmark(job.name)
        params:
            **study.multitask.options,
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


for job in study.jobs.joint:

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
            study.paths.log(job.name),
        benchmark:
            study.paths.benchmark(job.name)
        params:
            **study.multitask.options,
            **study.provenance(job.method),
            groups=study.multitask.joint,
            multitask=study.config["multitask"],
        resources:
            **session.resources(study, gpus=study.gpus),
        message:
            f"Tune {job.method} on groups of tasks that share a prompt; what still holds is kept"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/joint.py"


if study.multitask.joint:

    rule collect_joint:
        input:
            [path for job in study.jobs.joint for path in study.outputs(job)],
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
