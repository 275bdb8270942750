# The checked study, which all rules use. A mistake in the configuration ends here, before any job.

from promptatlas.runs import session


report: "../report/study.rst"


session.look_less_for_garbage()
study = session.plan(config, ["config.yaml", *workflow.overwrite_configfiles])

# In --set-threads and --set-resources the name of a stage stands for all its jobs, however the study is cut.
asked = workflow.resource_settings
asked.overwrite_threads = session.for_stages(study, asked.overwrite_threads)
asked.overwrite_resources = session.for_stages(study, asked.overwrite_resources)


def nothing_to_do():
    """Whether all was found to be there: Snakemake then ends without a hook. Before it has a scheduler it knows nothing of jobs."""
    return workflow.scheduler is not None and not len(workflow.dag)


if workflow.is_main_process:
    session.remember(workflow.overwrite_configfiles, workflow.config_settings.config, workflow.main_snakefile)
    session.listen()
    session.require_data(study)
    damaged = session.mended(study, workflow.output_settings.dryrun)
    session.announce(study, damaged)
    if not workflow.output_settings.dryrun:
        session.reclaim(study)
        session.end_with_report(study, nothing_to_do)
else:
    damaged = set()

looks = session.looks(study, workflow.is_main_process, workflow.output_settings.dryrun)

# Whether the frozen model is another one is read off its small record, also in a copy, where times say nothing.
backbone_files = [study.paths.backbone_record, *ancient(study.paths.backbone_files)]

# Rules with `localrule: True` want a network or are done in seconds: on a cluster they run where Snakemake runs, the others
# as profiles/slurm says.


def again(files):
    """What makes a dry run see that a job makes damaged files again, which a run has moved out of the way by now."""
    return session.again(study, damaged, files)


def made_by(jobs):
    """What jobs make, as outputs of their rules: Snakemake need not search all rules for the one that makes a file."""
    return [path for job in jobs for path in getattr(rules, job.name).output]


def note_makers(rule_name, makers):
    """Say which rule makes each of some inputs of a rule. Otherwise Snakemake looks for it among all rules, or among all outputs of the
    rule it was taken from, once for each input."""
    names = {maker: getattr(rules, maker).rule.name for maker in set(makers.values())}  # others in a module
    getattr(rules, rule_name).rule.dependencies.update({str(path): names[maker] for path, maker in makers.items()})


def wanted(jobs):
    """One result of each job, which makes all its results together, and those that are missing beside it. Snakemake compares each that
    is asked for with all of its job."""
    beside = session.missing if workflow.is_main_process else lambda job: ()
    return [path for job in jobs for path in (getattr(rules, job.name).output[0], *beside(job))]


def all_of(stage):
    """What the jobs of a stage make. Whoever forces the stage, as by `--forcerun`, forces them."""
    jobs, forced = study.jobs.stages[stage], workflow.dag.forcerules
    if workflow.get_rule(stage) in forced:
        forced.update(workflow.get_rule(job.name) for job in jobs)
    return made_by(jobs)


def listed_table(name):
    """The files of a table, of which Snakemake's report lists the one that people can read."""
    binary, text = study.paths.table(name)
    return [binary, report(text, category="Tables", labels={"table": name}, caption=f"../report/tables/{name}.rst")]


def listed_figures():
    """The folder of figures; only Snakemake's report needs their words, so only there they are imported."""

    def words(what):
        def of(wildcards):
            from promptatlas.report import listing

            return getattr(listing, what)(wildcards.figure)

        return of

    return report(
        directory(study.paths.figures),
        patterns=["{figure,[^/]+}.svg"],
        category=words("heading"),
        labels=words("labels"),
        caption="../report/figure.rst",
    )


def listed_page():
    """The page to browse, in Snakemake's report."""
    return report(study.paths.report, category="Page", labels={"page": "the study"}, caption="../report/page.rst")


wildcard_constraints:
    task="[^/]+",
    job="[^/]+",


# Snakemake's own lock outlives a killed run; this one is released by the system, whatever happens.
onstart:
    told = workflow.dag_settings
    targets = told.targets if told.forcetargets else []
    session.begin(study, [*told.forcerun, *targets], told.forceall)


onsuccess:
    session.conclude(study)


onerror:
    session.abandon(study)
