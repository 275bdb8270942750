# How close tasks are, from frozen features alone.


rule similarity:
    input:
        tasks=study.paths.task_records(study.tasks),
        encoded=[study.paths.index(job.name) for job in study.jobs.encode],
        again=again(study.paths.table("similarity")),
    output:
        study.paths.table("similarity"),
    log:
        study.paths.log("similarity"),
    benchmark:
        study.paths.benchmark("similarity")
    params:
        measures=study.config["similarity"],
    resources:
        **session.resources(study),
    message:
        f"Measure the similarity of {len(study.tasks)} tasks"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/similarity.py"
