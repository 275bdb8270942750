"""Where the weights of a model come from: a tag that open_clip publishes, a file, or a folder. Reads names and paths
only, without torch, so that a wrong one is told before any job.
"""

from dataclasses import dataclass
from os.path import expanduser, isdir, isfile  # those of Path fail for names that no file can have
from pathlib import Path

from promptatlas.backbone import kinds
from promptatlas.backbone.published import tags
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, shown, suggest

# In a folder, first the names that open_clip and Hugging Face write, in open_clip's order.
_PREFERRED = (
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth", "model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth",
)  # fmt: skip
_ENDINGS = (".safetensors", ".bin", ".pt", ".pth")


@dataclass(frozen=True)
class Origin:
    """Weights by a tag (then `path` is None) or in a file; description: the `open_clip_config.json` beside it."""

    tag: str | None = None
    path: Path | None = None
    description: Path | None = None

    @property
    def named(self) -> str:
        """The tag of weights that are not in a file."""
        assert self.tag is not None
        return self.tag

    @property
    def beside(self) -> Path:
        """The description of weights that have one."""
        assert self.description is not None
        return self.description

    @property
    def files(self) -> list[Path]:
        """What is read on this machine: a change of these makes the exported backbone stale."""
        return [path for path in (self.path, self.description) if path is not None]


def origin(model: str, pretrained: str) -> Origin:
    """Where the weights come from.

    model: open_clip's name, or `local-dir:<folder>`, which brings its own weights and makes `pretrained` meaningless;
    pretrained: a tag, a file, or a folder with one. Raises UserError for an unknown or unsupported model, an unknown
    tag, a missing file, a folder without weights or with several files of which none has a usual name.
    """
    if reason := kinds.sentence(model):
        raise UserError(reason)
    if model.startswith(kinds.LOCAL):
        return _in_folder(Path(model.removeprefix(kinds.LOCAL)))
    known = tags(model)
    tag = pretrained.lower().replace("-", "_")
    if tag in known:
        return Origin(tag=tag)
    path = Path(expanduser(pretrained))
    if isdir(path):
        return _in_folder(path)
    if isfile(path):
        beside = path.parent / kinds.CONFIG
        return Origin(path=path, description=beside if path.name in _PREFERRED and beside.is_file() else None)
    if path.suffix in _ENDINGS or len(path.parts) > 1:
        raise UserError(f"backbone.pretrained: the file {plain(pretrained)} does not exist.")
    advice = _advice(model, tag)
    raise UserError(f"backbone.pretrained: open_clip knows no weights {shown(pretrained)} for {model!r}; {advice}")


def _advice(model: str, tag: str) -> str:
    known, usual = tags(model), model.removesuffix("-quickgelu")
    listed = f"choose from {', '.join(known)}, or give a file." if known else "give a file or a folder with weights."
    if usual != model and tag in tags(usual):
        listed = f"these weights were trained with GELU: use {usual!r}."
    return suggest(tag, known, listed)


def _in_folder(folder: Path) -> Origin:
    if not isdir(folder):
        raise UserError(f"backbone: the folder {plain(folder)} does not exist.")
    description = folder / kinds.CONFIG
    held = sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)
    preferred = [folder / name for name in _PREFERRED if folder / name in held]
    if not held:
        raise UserError(f"backbone: the folder {folder} holds no weights ({', '.join(_ENDINGS)}).")
    if not preferred and len(held) > 1:
        names = ", ".join(path.name for path in held)
        raise UserError(f"backbone: the folder {folder} holds several files of weights ({names}); name one of them.")
    return Origin(path=(preferred or held)[0], description=description if description.is_file() else None)
