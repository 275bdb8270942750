# What the matrix is compared with: learners shared by all tasks, and adapters on frozen features. A job keeps the scores
# that still hold and computes the others.

for job in study.jobs.share:

    rule:
        name:
            job.name
        input:
            backbone=backbone_files,
            encoded=[study.paths.encoded(task) for task in study.tasks],
            draws=study.tuning_draws(job),
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.paths.log(job.name),
        benchmark:
            study.paths.benchmark(job.name)
        params:
            **study.provenance(job.method),
            method=job.method,
            tasks=study.tasks,
            seeds=job.seeds,
        resources:
            **session.resources(study, gpus=study.gpus),
        message:
            study.scores_message(job)
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/share.py"


for job in study.jobs.adapt:

    rule:
        name:
            job.name
        input:
            backbone=backbone_files,
            encoded=[study.paths.encoded(task) for task in job.tasks],
            draws=study.tuning_draws(job),
            weights=study.adapter_inputs(job),
            again=again(study.outputs(job)),
        output:
            update(study.outputs(job)),
        log:
            study.paths.log(job.name),
        benchmark:
            study.paths.benchmark(job.name)
        params:
            **study.provenance(job.method),
            method=job.method,
            tasks=job.tasks,
        resources:
            **session.resources(study, gpus=study.gpus),
        message:
            study.scores_message(job)
        conda:
            "../../envs/environment.yaml"
        script:
            "../scripts/adapt.py"
