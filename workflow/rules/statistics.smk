# How sure each cell is, and whether similarity explains transfer.


rule pairs:
    input:
        transfer=study.paths.table("transfer")[0],
        tasks=study.paths.task_records(study.tasks),
        again=again(study.paths.table("pairs")),
    output:
        listed_table("pairs"),
    log:
        study.paths.log("pairs"),
    benchmark:
        study.paths.benchmark("pairs")
    localrule: True
    message:
        "See how sure the gain of each pair is, by images and seeds"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/pairs.py"


rule statistics:
    input:
        transfer=study.paths.table("transfer")[0],
        similarity=study.paths.table("similarity")[0],
        tasks=study.paths.table("tasks")[0],
        baselines=study.paths.table("baselines")[0],
        shared=study.paths.table("shared_images")[0],
        methods=study.paths.table("methods")[0],
        joint=study.paths.table("joint")[:1] if study.multitask.joint else [],
        choice=study.paths.table("choice")[:1] if study.tries else [],
        pairs=study.paths.table("pairs")[0],
        again=again([*(path for name in ("statistics", "explained", "contrasts") for path in study.paths.table(name)), study.paths.summary]),
    output:
        **{name: listed_table(name) for name in ("statistics", "explained", "contrasts")},
        summary=study.paths.summary,
    log:
        study.paths.log("statistics"),
    benchmark:
        study.paths.benchmark("statistics")
    params:
        **study.config["statistics"],
    localrule: True
    message:
        "Relate similarity to transfer: effects, permutation tests, intervals"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/statistics.py"
