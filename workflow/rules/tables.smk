# What jobs computed, as tables.


rule collect:
    input:
        study.all_cells,
        again=again(study.paths.table("transfer")),
    output:
        listed_table("transfer"),
    log:
        study.paths.log("collect"),
    benchmark:
        study.paths.benchmark("collect")
    localrule: True
    message:
        f"Collect {len(study.cells)} cells into a table"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/collect.py"


note_makers("collect", {path: job.name for job in study.jobs.transfer for path in job.outputs})


rule describe:
    input:
        transfer=study.paths.table("transfer")[0],
        shared=study.paths.table("shared_images")[0],
        tasks=study.paths.task_records(study.tasks),
        prompts=[study.paths.index(job.name) for job in study.jobs.tune],
        probes=[study.paths.probe(task) for task in study.learners],
        scores=study.score_records,
        draws=study.jobs.draw.outputs,
        again=again(
            [
                *(path for name in ("baselines", "methods", "tuning", "tasks") for path in study.paths.table(name)),
                study.paths.resolved_config,
            ]
        ),
    output:
        [path for name in ("baselines", "methods", "tuning", "tasks") for path in listed_table(name)],
        config=study.paths.resolved_config,
    log:
        study.paths.log("describe"),
    benchmark:
        study.paths.benchmark("describe")
    params:
        config=study.description,
    localrule: True
    message:
        "Describe tasks, tuning and baselines in tables"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/describe.py"


if study.multitask.joint:

    rule collect_joint:
        input:
            [path for job in study.jobs.joint for path in job.outputs],
            again=again(study.paths.table("joint")),
        output:
            listed_table("joint"),
        log:
            study.paths.log("collect_joint"),
        benchmark:
            study.paths.benchmark("collect_joint")
        localrule: True
        message:
            "Collect single, joint and source-initialised scores into a table"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/collect_joint.py"


if study.tries:

    rule choice:
        input:
            made_by(study.jobs.tries),
            transfer=study.paths.table("transfer")[0],
            similarity=study.paths.table("similarity")[:1] if "similarity" in study.design.ending.tables else [],
            tasks=study.paths.task_records(study.tasks),
            again=again(study.paths.table("choice")),
        output:
            listed_table("choice"),
        log:
            study.paths.log("choice"),
        benchmark:
            study.paths.benchmark("choice")
        localrule: True
        message:
            "See how well prompts can be chosen by a few labelled images"
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/choice.py"
