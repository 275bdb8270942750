# What every rule file uses: the checked study. A mistake in the configuration ends here, before any job.

from promptatlas import NUMERICS_VERSION, planning

study = planning.plan(config)

if workflow.is_main_process:
    planning.announce(study)


wildcard_constraints:
    task="[^/]+",
    job="[^/]+",


# Snakemake's own lock outlives a killed run; this one is released by the system, whatever happens.
onstart:
    planning.begin(study, workflow.dag_settings.forcerun, workflow.dag_settings.forceall)
