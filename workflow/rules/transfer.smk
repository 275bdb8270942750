# Cells. A job keeps the cells that still hold and measures the others.

for job in study.transfer_jobs:

    rule:
        name:
            job.name
        input:
            backbone=study.backbone_files,
            prompts=study.transfer_prompts(job),
            targets=study.transfer_targets(job),
        output:
            update([study.cell(cell) for cell in job.cells()]),
        log:
            study.log(job.name),
        benchmark:
            study.benchmark(job.name)
        params:
            protocol=job.protocol,
            method=job.method,
            sources=job.sources,
            targets=job.targets,
            seeds=job.seeds,
            **study.provenance(job.method),
        resources:
            mem_mb=study.config["memory_mib"],
            runtime=study.config["minutes"],
        message:
            study.transfer_message(job)
        script:
            "../scripts/transfer.py"


rule collect:
    input:
        cells=CELLS,
        prompts=[path for job in study.tune_jobs for path in study.prompts(job)],
        tasks=[study.task_folder(task) / "task.json" for task in study.tasks],
    output:
        [path for name in ("transfer", "baselines", "tuning", "tasks") for path in study.table(name)],
        config=study.resolved_config,
    log:
        study.log("collect"),
    benchmark:
        study.benchmark("collect")
    message:
        f"Collect {len(CELLS)} cells into tables"
    script:
        "../scripts/collect.py"
