# What people look at: figures and one self-contained page.


rule figures:
    input:
        **{name: study.table(name)[0] for name in ("transfer", "similarity", "statistics", "tasks", "methods")},
    output:
        directory(study.figures),
    log:
        study.log("figures"),
    benchmark:
        study.benchmark("figures")
    localrule: True
    message:
        "Draw the heatmaps and correlations"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/figures.py"


rule page:
    input:
        **{name: study.table(name)[0] for name in ("transfer", "similarity", "statistics", "tasks", "tuning")},
        config=study.resolved_config,
        summary=study.summary,
        again=again([study.report]),
    output:
        study.report,
    log:
        study.log("page"),
    benchmark:
        study.benchmark("page")
    localrule: True
    message:
        f"Write {study.report}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/page.py"
