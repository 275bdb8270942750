# The protocols of papers: tables as papers print them, beside what was printed.


rule protocol:
    input:
        transfer=study.paths.table("transfer")[0],
        tasks=study.paths.table("tasks")[0],
        baselines=study.paths.table("baselines")[0],
        shared=study.paths.table("shared_images")[0],
        again=again([*study.paths.table("protocol"), study.paths.summary]),
    output:
        table=listed_table("protocol"),
        summary=study.paths.summary,
    log:
        study.paths.log("protocol"),
    benchmark:
        study.paths.benchmark("protocol")
    localrule: True
    message:
        f"Put the scores into the layout of {study.design.name}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/protocol.py"


rule protocol_page:
    input:
        protocol=study.paths.table("protocol")[0],
        tasks=study.paths.table("tasks")[0],
        config=study.paths.resolved_config,
        summary=study.paths.summary,
        again=again([study.paths.report]),
    output:
        listed_page(),
    log:
        study.paths.log("protocol_page"),
    benchmark:
        study.paths.benchmark("protocol_page")
    localrule: True
    message:
        f"Write {study.paths.report}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/protocol_page.py"
