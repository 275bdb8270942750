"""The job that makes the frozen model of a study, and notes what it was made from."""

from promptatlas.backbone import export as backbone, sharing
from promptatlas.base.progress import Say
from promptatlas.runs import changes
from promptatlas.study.study import Study


def export(study: Study, mark: str, say: Say) -> None:
    """mark: of the look at its files that asked for it; without one nothing is noted."""
    model, pretrained = study.config["backbone"]["model"], study.config["backbone"]["pretrained"]
    say(f"export the backbone {model}")
    for earlier in study.paths.looks("@backbone").glob("*"):
        if earlier.name != mark:
            earlier.unlink(missing_ok=True)
    study.paths.backbone_made_from.unlink(missing_ok=True)
    folder = study.paths.backbone_folder
    backbone.export(model, pretrained, folder)
    if other := sharing.share(folder, [beside for beside in study.folder.parent.glob(f"*/{folder.name}") if beside != folder]):
        say(f"its weights are those of {other.parent.name}, and one file on disk with them")
    if mark:
        changes.note_backbone(study, mark)
