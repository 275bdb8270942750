# From task definitions to arrays: data found or downloaded, images and labels.


# What was seen of names, sizes and times of source files, and of the descriptions of tasks: another look is another file.
rule look:
    output:
        touch(study.paths.look("{what}", "{mark}")),
    wildcard_constraints:
        what="[^/]+",
        mark="[0-9a-f]+",
    priority: 1
    localrule: True
    message:
        "Something new is seen of {wildcards.what}"


if study.needs_fetching:

    rule fetch:
        input:
            looks[session.FETCHED],
        output:
            study.paths.fetched,
        log:
            study.paths.log("fetch"),
        benchmark:
            study.paths.benchmark("fetch")
        localrule: True
        message:
            f"Find or download the data of {len(study.data.real_tasks)} tasks and the weights"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/fetch.py"


rule prepare:
    input:
        lambda wildcards: study.jobs.preparing(wildcards.task).inputs,
        look=lambda wildcards: [] if study.data.is_embedded(wildcards.task) else looks[wildcards.task],
        again=lambda wildcards: again(study.paths.prepared_files(wildcards.task)),
    output:
        update(study.paths.task_files("{task}")),
        factors=update(study.paths.factors("{task}")),
    log:
        study.paths.log("prepare_{task}"),
    benchmark:
        study.paths.benchmark("prepare_{task}")
    wildcard_constraints:
        task="[^/@]+",
    threads: lambda wildcards: 1 if study.data.is_embedded(wildcards.task) else 8
    resources:
        **session.resources(study, "prepare"),
    localrule: not study.data.real_tasks
    message:
        "Prepare the images and labels of task {wildcards.task}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/prepare.py"


rule prepare_part:
    input:
        study.paths.task_folder("{whole}") / "task.json",
        again=lambda wildcards: again(study.paths.prepared_files(f"{wildcards.whole}@{wildcards.part}")),
    output:
        study.paths.subset_files("{whole}@{part}"),
    log:
        study.paths.log("prepare_{whole}@{part}"),
    benchmark:
        study.paths.benchmark("prepare_{whole}@{part}")
    wildcard_constraints:
        whole="[^/@]+",
        part="base|new",
    localrule: True
    message:
        "Take the {wildcards.part} classes of task {wildcards.whole}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/prepare_part.py"


# Before anything is trained: who sees that two tasks share images may want to stop.
rule shared_images:
    input:
        study.paths.task_records(study.tasks),
        again=again(study.paths.table("shared_images")),
    output:
        listed_table("shared_images"),
    log:
        study.paths.log("shared_images"),
    benchmark:
        study.paths.benchmark("shared_images")
    priority: 3
    localrule: True
    message:
        f"See which of {len(study.tasks)} tasks share images"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/shared_images.py"
