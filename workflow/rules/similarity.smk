# How close tasks are, from frozen features alone.


rule similarity:
    input:
        tasks=study.task_records(study.tasks),
        encoded=[study.index(job.name) for job in study.encode_jobs],
        again=again(study.table("similarity")),
    output:
        study.table("similarity"),
    log:
        study.log("similarity"),
    benchmark:
        study.benchmark("similarity")
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
