# How close tasks are, from frozen features, and from prompts where a measure needs them.


rule similarity:
    input:
        tasks=study.paths.task_records(study.tasks),
        compared=study.comparison_inputs,
        again=again(study.paths.table("similarity")),
    output:
        listed_table("similarity"),
    log:
        study.paths.log("similarity"),
    benchmark:
        study.paths.benchmark("similarity")
    params:
        **study.measure_provenance,
    resources:
        **session.resources(study, "similarity"),
    message:
        f"Measure the similarity of {len(study.tasks)} tasks"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/similarity.py"
