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


for job in study.jobs.probe:

    rule:
        name:
            job.name
        input:
            job.inputs,
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
            **session.resources(study),
        message:
            job.message
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/compute.py"


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
