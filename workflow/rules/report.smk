# What people look at: figures and one self-contained page.


# Something to look at early. A job makes all its cells together, so one stands for all.
rule first_page:
    input:
        [job.outputs[0] for job in study.jobs.first],
    output:
        study.paths.so_far,
    log:
        study.paths.log("first_page"),
    benchmark:
        study.paths.benchmark("first_page")
    priority: 2
    localrule: True
    message:
        f"Write a first page, {study.paths.so_far}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/first_page.py"


rule figures:
    input:
        **{name: study.paths.table(name)[0] for name in ("transfer", "similarity", "statistics", "tasks", "methods")},
    output:
        listed_figures(),
    log:
        study.paths.log("figures"),
    benchmark:
        study.paths.benchmark("figures")
    localrule: True
    message:
        "Draw the heatmaps and correlations"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/figures.py"


rule page:
    input:
        **{name: study.paths.table(name)[0] for name in ("transfer", "similarity", "statistics", "tasks", "tuning", "pairs")},
        config=study.paths.resolved_config,
        summary=study.paths.summary,
        again=again([study.paths.report]),
    params:
        report=study.config["report"],
    output:
        listed_page(),
    log:
        study.paths.log("page"),
    benchmark:
        study.paths.benchmark("page")
    localrule: True
    message:
        f"Write {study.paths.report}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/page.py"
