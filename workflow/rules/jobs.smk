# Everything that is computed from prepared tasks, job by job: draws, features, probes, prompts, scores and cells. A job keeps what
# still holds and computes the rest. Stages and the order of data: study/jobs.py.

for job in study.jobs.compute:

    rule:
        name:
            job.name
        input:
            job.inputs,
            backbone=backbone_files if job.runs_model else [],
            again=again(job.outputs),
        output:
            update(job.outputs),
        log:
            study.paths.log(job.name),
        benchmark:
            study.paths.benchmark(job.name)
        params:
            **job.params,
        priority: study.jobs.priority(job.name)
        resources:
            **session.resources(study, job.stage, job.runs_model, job),
        localrule: job.is_quick
        message:
            job.message
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/compute.py"


# All jobs of a stage, however the study is cut: `snakemake tune`, `snakemake transfer`.
for stage, jobs in study.jobs.stages.items():

    if stage not in [job.name for job in jobs]:

        rule:
            name:
                stage
            input:
                lambda wildcards, stage=stage: all_of(stage),
            localrule: True


# What cells depend on: the contents of many files in one. Snakemake notes every input beside every output, and for
# thousands of cells that would take longer than measuring them.
rule index:
    input:
        lambda wildcards: study.jobs.named(wildcards.job).outputs,
    output:
        study.paths.index("{job}"),
    log:
        study.paths.log("index_{job}"),
    benchmark:
        study.paths.benchmark("index_{job}")
    priority: lambda wildcards: study.jobs.priority(wildcards.job)
    localrule: True
    message:
        "Note the contents of what {wildcards.job} made"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/index.py"


for job in study.jobs.compute:
    note_makers(job.name, dict.fromkeys(map(study.paths.index, getattr(job, "needs", ())), "index"))
