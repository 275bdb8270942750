# Whether similarity explains transfer.


rule statistics:
    input:
        transfer=study.table("transfer")[0],
        similarity=study.table("similarity")[0],
        tasks=study.table("tasks")[0],
        baselines=study.table("baselines")[0],
        shared=study.table("shared_images")[0],
        methods=study.table("methods")[0],
        joint=study.table("joint")[:1] if study.joint else [],
        again=again([*study.table("statistics"), study.summary]),
    output:
        table=study.table("statistics"),
        summary=study.summary,
    log:
        study.log("statistics"),
    benchmark:
        study.benchmark("statistics")
    params:
        **study.config["statistics"],
    localrule: True
    message:
        "Relate similarity to transfer: effects, permutation tests, intervals"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/statistics.py"
