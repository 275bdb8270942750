"""Where the weights of a model come from: a tag that open_clip publishes, a file, a folder, or the Hugging Face hub. Reads names and paths
only, without torch, so that a wrong one is told before any job.
"""

from dataclasses import dataclass, replace
from os.path import expanduser, isdir, isfile  # those of Path fail for names that no file can have
from pathlib import Path

from promptatlas.backbone import kinds, published, several_files, tokenizer_files, transformers_config
from promptatlas.backbone.hub import HUB, Held, Repository
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
    """Weights by a tag, in a file (`path`), or on the hub; a tag beside `hub` is that of the file there; description: the
    `open_clip_config.json` beside it, or the `config.json` of the transformers library; words: the files beside `path` of a tokenizer
    that is not CLIP's.
    """

    tag: str | None = None
    path: Path | None = None
    description: Path | None = None
    hub: Held | None = None
    words: tuple[Path, ...] = ()

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
    def of_transformers(self) -> bool:
        """Whether the transformers library wrote the description."""
        return self.description is not None and self.description.name == transformers_config.CONFIG

    @property
    def files(self) -> list[Path]:
        """What is read on this machine: a change of these makes the exported backbone stale. The hub's files are of one commit."""
        if self.hub:
            return []
        images = transformers_config.images_file(self.beside) if self.of_transformers else None
        return [path for path in (self.path, self.description, images, *self.words) if path is not None]


def origin(model: str, pretrained: str) -> Origin:
    """Where the weights come from.

    model: open_clip's name, or `local-dir:<folder>` or `hf-hub:<owner>/<name>`, which bring their own weights and make `pretrained`
    meaningless; pretrained: a tag, a file, a folder with one, or `hf-hub:<owner>/<name>/<file>`.
    Raises UserError for an unknown or unsupported model, an unknown
    tag, a missing file, a folder without weights or with several files of which none has a usual name, weights in several files.
    """
    if reason := kinds.sentence(model):
        raise UserError(reason)
    found = _found(model, pretrained)
    return replace(found, words=tokenizer_files.beside(kinds.of(model).text, found.path.parent)) if found.path else found


def _found(model: str, pretrained: str) -> Origin:
    """The same without its words."""
    if model.startswith(kinds.LOCAL):
        return _in_folder(Path(model.removeprefix(kinds.LOCAL)))
    if model.startswith(HUB):
        return _on_hub(model)
    if pretrained.startswith(HUB):
        owner, name, file = [*pretrained.removeprefix(HUB).split("/", 2), "", ""][:3]
        if not file:
            raise UserError(f"backbone.pretrained: {plain(pretrained)} names no file; write {HUB}<owner>/<name>/<file>.")
        _require_whole(file)
        return _file_on_hub(model, Repository.of(f"{owner}/{name}"), file)
    known = tags(model)
    tag = pretrained.lower().replace("-", "_")
    if tag in known:
        return Origin(tag=tag)
    path = Path(expanduser(pretrained))
    if isdir(path):
        return _in_folder(path)
    if isfile(path):
        _require_whole(str(path))
        return Origin(path=path, description=kinds.beside(path.parent) if path.name in _PREFERRED else None)
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


def _on_hub(model: str) -> Origin:
    """Weights of the commit that the description is of."""
    folder = kinds.folder_with(model)
    repository = Repository.of(model.removeprefix(HUB))
    return Origin(description=kinds.beside(folder), hub=Held(Repository(repository.name, folder.name), _PREFERRED))


def _file_on_hub(model: str, repository: Repository, file: str) -> Origin:
    """What is known of a file: open_clip's entry for the repository or, where it has none, the description of the same commit."""
    if tag := published.tag_on_hub(model, repository.name, file, file in _PREFERRED):
        return Origin(tag=tag, hub=Held(repository, (file,)))
    description = kinds.beside_on_hub(repository) if file in _PREFERRED else None
    if description:
        repository = Repository(repository.name, description.parent.name)
    return Origin(description=description, hub=Held(repository, (file,)))


def bring(model: str, pretrained: str) -> None:
    """See that what describes a model and its weights is here, if it is on the hub. Raises UserError if a model's own cannot be fetched."""
    kinds.bring(model)
    source = origin(model, pretrained)
    if source.hub and not source.tag and not model.startswith(HUB) and source.hub.names[0] in _PREFERRED:
        kinds.bring_beside(source.hub.repository)


def _require_whole(file: str) -> None:
    """UserError for one of several files that hold the weights together."""
    if several_files.is_one_of_several(Path(file).name):
        raise several_files.refused(f"of {plain(file)}")


def _in_folder(folder: Path) -> Origin:
    if not isdir(folder):
        raise UserError(f"backbone: the folder {plain(folder)} does not exist.")
    every = sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)
    held = [path for path in every if not several_files.is_one_of_several(path.name)]
    preferred = [folder / name for name in _PREFERRED if folder / name in held]
    if every and not held:
        raise several_files.refused(f"in {folder}")
    if not held:
        raise UserError(f"backbone: the folder {folder} holds no weights ({', '.join(_ENDINGS)}).")
    if not preferred and len(held) > 1:
        names = ", ".join(path.name for path in held)
        raise UserError(f"backbone: the folder {folder} holds several files of weights ({names}); name one of them.")
    return Origin(path=(preferred or held)[0], description=kinds.beside(folder))
