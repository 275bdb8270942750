# What the results were made with, noted when everything else is done.


rule provenance:
    input:
        study.tables,
        study.summary,
        study.report,
        config=study.resolved_config,
    output:
        study.provenance_file,
    log:
        study.log("provenance"),
    benchmark:
        study.benchmark("provenance")
    localrule: True
    message:
        "Note versions, code, hashes and devices"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/provenance.py"
