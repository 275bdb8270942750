# Methods on tasks of their own: the comparison, as numbers, figures and a page.


rule comparison:
    input:
        **{name: study.paths.table(name)[0] for name in ("transfer", "tasks", "baselines", "methods")},
        shared=study.paths.table("shared_images")[0],
        joint=study.paths.table("joint")[:1] if study.multitask.joint else [],
        again=again([study.paths.summary]),
    output:
        summary=study.paths.summary,
        figures=listed_figures(),
    log:
        study.paths.log("comparison"),
    benchmark:
        study.paths.benchmark("comparison")
    localrule: True
    message:
        "Compare the methods"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/comparison.py"


rule comparison_page:
    input:
        tasks=study.paths.table("tasks")[0],
        config=study.paths.resolved_config,
        summary=study.paths.summary,
        again=again([study.paths.report]),
    output:
        listed_page(),
    log:
        study.paths.log("comparison_page"),
    benchmark:
        study.paths.benchmark("comparison_page")
    localrule: True
    message:
        f"Write {study.paths.report}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/comparison_page.py"
