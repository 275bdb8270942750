# Cells. A job keeps the cells that still hold and measures the others.

for job in study.transfer_jobs:

    rule:
        name:
            job.name
        input:
            backbone=backbone_files,
            indices=study.transfer_inputs(job),
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.log(job.name),
        benchmark:
            study.benchmark(job.name)
        params:
            **study.transfer_provenance(job),
            protocol=job.protocol,
            method=job.method,
            sources=job.sources,
            targets=job.targets,
            seeds=job.seeds,
        resources:
            **session.resources(study, gpus=study.gpus),
        message:
            study.transfer_message(job)
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/transfer.py"


rule collect:
    input:
        made_by(study.transfer_jobs),
        again=again(study.table("transfer")),
    output:
        study.table("transfer"),
    log:
        study.log("collect"),
    benchmark:
        study.benchmark("collect")
    localrule: True
    message:
        f"Collect {len(study.cells)} cells into a table"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/collect.py"


rule describe:
    input:
        transfer=study.table("transfer")[0],
        shared=study.table("shared_images")[0],
        tasks=study.task_records(study.tasks),
        prompts=[study.index(job.name) for job in study.tune_jobs],
        probes=[study.probe(task) for task in study.learners],
        scores=study.score_records,
        draws=study.draws,
        again=again([*(path for name in ("baselines", "methods", "tuning", "tasks") for path in study.table(name)), study.resolved_config]),
    output:
        [path for name in ("baselines", "methods", "tuning", "tasks") for path in study.table(name)],
        config=study.resolved_config,
    log:
        study.log("describe"),
    benchmark:
        study.benchmark("describe")
    params:
        config=study.description,
    localrule: True
    message:
        "Describe tasks, tuning and baselines in tables"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/describe.py"
