# What every rule file uses: the checked study. A mistake in the configuration ends here, before any job.

from promptatlas import NUMERICS_VERSION, planning

study = planning.plan(config)

CELLS = [study.cell(cell) for cell in study.cells]


wildcard_constraints:
    task="[^/]+",


# Snakemake's own lock outlives a killed run; this one is released by the system, whatever happens.
onstart:
    planning.begin(study, workflow.dag_settings.forcerun)
