# The frozen model, and what it says of every task before any prompt is learned.


rule backbone:
    input:
        look=looks.get(session.BACKBONE, []),
        fetched=study.fetched if study.is_published_backbone else [],
    output:
        study.backbone_files,
        study.backbone_record,
    log:
        study.log("backbone"),
    benchmark:
        study.benchmark("backbone")
    localrule: True
    message:
        f"Export the backbone {study.backbone_name}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/backbone.py"


for job in study.encode_jobs:

    rule:
        name:
            job.name
        input:
            backbone=backbone_files,
            tasks=study.task_records(job.tasks),
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.log(job.name),
        benchmark:
            study.benchmark(job.name)
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


for job in study.probe_jobs:

    rule:
        name:
            job.name
        input:
            encoded=[study.encoded(task) for task in job.tasks],
            draws=study.tuning_draws(job),
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.log(job.name),
        benchmark:
            study.benchmark(job.name)
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
        study.log("pretrain_mini"),
    benchmark:
        study.benchmark("pretrain_mini")
    message:
        "Train the mini backbone again from procedural pictures with captions"
    conda:
        "../../envs/environment.yaml"
    script:
        "../pretraining/pretrain_mini.py"
