# The frozen model, and what it says of every task before any prompt is learned.


rule backbone:
    input:
        look=looks.get(session.BACKBONE, []),
        fetched=study.paths.fetched if study.backbone.is_published else [],
    output:
        study.paths.backbone_files,
        study.paths.backbone_record,
    log:
        study.paths.log("backbone"),
    benchmark:
        study.paths.benchmark("backbone")
    localrule: True
    message:
        f"Export the backbone {study.backbone.name}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/backbone.py"


for job in study.jobs.encode:

    rule:
        name:
            job.name
        input:
            backbone=backbone_files,
            tasks=study.paths.task_records(job.tasks),
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.paths.log(job.name),
        benchmark:
            study.paths.benchmark(job.name)
        params:
            **study.provenance("zero_shot"),
        resources:
            **session.resources(study, gpus=study.gpus),
        message:
            f"Encode the pictures and class names of {len(job.tasks)} tasks"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/encode.py"


for job in study.jobs.probe:

    rule:
        name:
            job.name
        input:
            encoded=[study.paths.encoded(task) for task in job.tasks],
            draws=study.tuning_draws(job),
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.paths.log(job.name),
        benchmark:
            study.paths.benchmark(job.name)
        params:
            **study.provenance("linear_probe"),
        resources:
            **session.resources(study),
        message:
            f"Fit linear probes on {len(job.tasks)} tasks"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/probe.py"


rule pretrain_mini:
    output:
        directory(study.folder / "pretraining"),
    log:
        study.paths.log("pretrain_mini"),
    benchmark:
        study.paths.benchmark("pretrain_mini")
    message:
        "Train the mini backbone again from procedural pictures with captions"
    conda:
        "../../envs/environment.yaml"
    script:
        "../pretraining/pretrain_mini.py"
