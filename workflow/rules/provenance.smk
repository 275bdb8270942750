# What the results were made with, noted when everything else is done.


rule provenance:
    input:
        study.tables,
        study.paths.summary,
        study.paths.report,
        config=study.paths.resolved_config,
    output:
        study.paths.provenance_file,
    log:
        study.paths.log("provenance"),
    benchmark:
        study.paths.benchmark("provenance")
    localrule: True
    message:
        "Note versions, code, hashes and devices"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/provenance.py"
