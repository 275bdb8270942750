# The frozen model.


rule backbone:
    input:
        look=looks.get(session.BACKBONE, []),
        fetched=study.paths.fetched if study.backbone.is_published else [],
    output:
        study.paths.backbone_files,
        study.paths.backbone_record,
    log:
        study.paths.log("backbone"),
    benchmark:
        study.paths.benchmark("backbone")
    priority: 1
    localrule: True
    message:
        f"Export the backbone {study.backbone.name}"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/backbone.py"


rule pretrain_mini:
    output:
        directory(study.folder / "pretraining"),
    log:
        study.paths.log("pretrain_mini"),
    benchmark:
        study.paths.benchmark("pretrain_mini")
    message:
        "Train the mini backbone again from procedural images with captions"
    conda:
        "../../envs/environment.yaml"
    script:
        "../pretraining/pretrain_mini.py"
