# promptatlas: which visual task helps which. The table of contents; each stage is one file in workflow/rules.

from snakemake.utils import min_version

min_version("9.19")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/tasks.smk"
include: "workflow/rules/backbone.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/multitask.smk"
include: "workflow/rules/transfer.smk"


if study.design.name == "matrix":

    include: "workflow/rules/similarity.smk"
    include: "workflow/rules/statistics.smk"
    include: "workflow/rules/report.smk"

elif study.design.name == "few_shot":

    include: "workflow/rules/few_shot.smk"

else:

    include: "workflow/rules/protocol.smk"


include: "workflow/rules/provenance.smk"


rule all:
    default_target: True
    input:
        study.prepared,
        [study.encoded(task) for task in study.tasks],
        made_by(study.tune_jobs),
        made_by(study.transfer_jobs),
        made_by((*study.share_jobs, *study.adapt_jobs)),
        made_by((*study.probe_jobs, *study.multitask_jobs, *study.joint_jobs)),
        study.tables,
        study.conclusions,
