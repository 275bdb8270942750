# What every rule file uses: the checked study. A mistake in the configuration ends here, before any job.

from promptatlas import planning

study = planning.plan(config)

if workflow.is_main_process:
    planning.announce(study)
    if not workflow.output_settings.dryrun:
        planning.reclaim(study)


# On a cluster, what wants a network or is done in seconds runs where Snakemake runs, the rest as profiles/slurm says.
localrules:
    fetch,
    backbone,
    prepare_part,
    shared_images,
    draw,
    index,
    collect,
    describe,
    collect_joint,
    statistics,
    figures,
    page,
    protocol,
    protocol_page,
    comparison,
    comparison_page,
    provenance,


def made_by(jobs):
    """What jobs make, as outputs of their rules: Snakemake need not search all rules for the one that makes a file."""
    return [getattr(rules, job.name).output for job in jobs]


wildcard_constraints:
    task="[^/]+",
    job="[^/]+",


# Snakemake's own lock outlives a killed run; this one is released by the system, whatever happens.
onstart:
    planning.begin(study, workflow.dag_settings.forcerun, workflow.dag_settings.forceall)


onsuccess:
    planning.conclude(study)


onerror:
    planning.conclude(study)
