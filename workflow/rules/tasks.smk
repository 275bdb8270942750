# From task definitions to arrays: pictures, labels and few-shot draws.


rule prepare:
    output:
        files=study.task_files("{task}"),
        factors=study.factors("{task}"),
    log:
        study.log("prepare_{task}"),
    benchmark:
        study.benchmark("prepare_{task}")
    params:
        benchmark=study.config["benchmark"],
    message:
        "Prepare the pictures and labels of task {wildcards.task}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/prepare.py"


rule draw:
    input:
        tasks=study.task_records(study.tasks),
    output:
        update(study.draws),
    log:
        study.log("draw"),
    benchmark:
        study.benchmark("draw")
    params:
        shots=study.shots,
        scheme=study.config["draw"],
        seeds=study.seeds,
    message:
        f"Draw {study.shots} training pictures per class for {len(study.tasks)} tasks and {len(study.seeds)} seeds"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/draw.py"
