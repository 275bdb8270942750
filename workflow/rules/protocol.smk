# The protocols of papers: tables as papers print them, beside what was printed.


rule protocol:
    input:
        transfer=study.table("transfer")[0],
        tasks=study.table("tasks")[0],
        baselines=study.table("baselines")[0],
        shared=study.table("shared_images")[0],
        again=again([*study.table("protocol"), study.summary]),
    output:
        table=study.table("protocol"),
        summary=study.summary,
    log:
        study.log("protocol"),
    benchmark:
        study.benchmark("protocol")
    localrule: True
    message:
        f"Put the scores into the layout of {study.design.name}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/protocol.py"


rule protocol_page:
    input:
        protocol=study.table("protocol")[0],
        tasks=study.table("tasks")[0],
        config=study.resolved_config,
        summary=study.summary,
        again=again([study.report]),
    output:
        study.report,
    log:
        study.log("protocol_page"),
    benchmark:
        study.benchmark("protocol_page")
    localrule: True
    message:
        f"Write {study.report}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/protocol_page.py"
