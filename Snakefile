# promptatlas: which visual task helps which. The table of contents; each stage is one file in workflow/rules.

from pathlib import Path

from snakemake.utils import min_version

from promptatlas.runs import prerequisites, session

min_version("9.19")

if workflow.is_main_process:
    told = workflow.resource_settings
    session.end_if_any(prerequisites.wrong(Path("config.yaml"), told.cores, told.nodes, told.local_cores))


configfile: "config.yaml"


if config.get("design") == "recommend":

    include: "workflow/rules/recommend.smk"

    rule all:
        default_target: True
        input:
            asked.tables,
            asked.paths.report,

else:

    include: "workflow/rules/common.smk"
    include: "workflow/rules/tasks.smk"
    include: "workflow/rules/backbone.smk"
    include: "workflow/rules/jobs.smk"
    include: "workflow/rules/tables.smk"

    for stage in study.design.ending.stages:

        include: f"workflow/rules/{stage}.smk"
    include: "workflow/rules/provenance.smk"

    rule all:
        default_target: True
        input:
            study.prepared,
            [study.paths.encoded(task) for task in study.tasks],
            wanted(study.jobs.tune),
            wanted(study.jobs.transfer),
            session.first_page(study),
            wanted(study.jobs.tries),
            wanted((*study.jobs.share, *study.jobs.adapt)),
            wanted((*study.jobs.probe, *study.jobs.multitask, *study.jobs.joint)),
            study.tables,
            study.conclusions,
