# How close tasks are, from frozen features alone.


rule similarity:
    input:
        tasks=[study.task_folder(task) / "task.json" for task in study.tasks],
        encoded=[study.encoded(task) for task in study.tasks],
    output:
        study.table("similarity"),
    log:
        study.log("similarity"),
    benchmark:
        study.benchmark("similarity")
    params:
        measures=study.config["similarity"],
    message:
        f"Measure the similarity of {len(study.tasks)} tasks"
    script:
        "../scripts/similarity.py"
