# A study that trains nothing: which prompts of finished studies to use on images with a few labels (`design: recommend`).

from promptatlas.recommendation import targets

asked = targets.plan(config, ["config.yaml", *workflow.overwrite_configfiles])


wildcard_constraints:
    target="[^/]+",


rule recommend:
    input:
        asked.sources,
    output:
        asked.outputs("{target}"),
    log:
        asked.paths.log("recommend_{target}"),
    benchmark:
        asked.paths.benchmark("recommend_{target}")
    params:
        about=lambda wildcards: asked.params(wildcards.target),
    resources:
        **asked.resources(),
    message:
        "Try prompts on the labelled images of {wildcards.target}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/recommend.py"


rule recommendations:
    input:
        asked.answers,
    output:
        asked.tables,
        report=asked.paths.report,
    log:
        asked.paths.log("recommendations"),
    benchmark:
        asked.paths.benchmark("recommendations")
    localrule: True
    message:
        f"Write {asked.paths.report}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/recommendations.py"
