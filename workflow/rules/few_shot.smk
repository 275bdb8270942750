# Methods on tasks of their own: the comparison, as numbers, figures and a page.


rule comparison:
    input:
        **{name: study.table(name)[0] for name in ("transfer", "tasks", "baselines", "methods")},
        shared=study.table("shared_images")[0],
        joint=study.table("joint")[:1] if study.joint else [],
        again=again([study.summary]),
    output:
        summary=study.summary,
        figures=directory(study.figures),
    log:
        study.log("comparison"),
    benchmark:
        study.benchmark("comparison")
    localrule: True
    message:
        "Compare the methods"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/comparison.py"


rule comparison_page:
    input:
        tasks=study.table("tasks")[0],
        config=study.resolved_config,
        summary=study.summary,
        again=again([study.report]),
    output:
        study.report,
    log:
        study.log("comparison_page"),
    benchmark:
        study.benchmark("comparison_page")
    localrule: True
    message:
        f"Write {study.report}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/comparison_page.py"
