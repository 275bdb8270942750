"""Checkpoints of Dassl, the framework in which the authors of CoOp, CoCoOp, MaPLe, SoftCPT and MVLPT released their code.

Such a file is a pickle of tensors, of numpy numbers and of the live optimiser and schedule. Only the tensors are made;
of everything else that such files are known to hold an empty stand-in is made, and any other object is refused before
anything of it is imported. Knows nothing of what the tensors mean.
"""

from __future__ import annotations

import collections
import io
import pickle
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from promptatlas.backbone.torchscript import DTYPES
from promptatlas.base.errors import UserError

# What a checkpoint holds besides tensors: the best score, a numpy number, and the state of optimiser and schedule.
_KNOWN = (
    r"numpy(\.core|\._core)?\.multiarray\.(scalar|_reconstruct)"
    r"|numpy\.(dtype|ndarray|float64|float32|int64)|numpy\.dtypes\.\w+DType"
    r"|_codecs\.encode|collections\.(defaultdict|Counter)|(builtins|__builtin__)\.(dict|set|list|tuple|int|float)"
    r"|torch\.optim\.(sgd\.SGD|adam\.Adam|adamw\.AdamW|rmsprop\.RMSprop)"
    r"|torch\.optim\.lr_scheduler\.(CosineAnnealingLR|StepLR|MultiStepLR)"
    r"|dassl\.optim\.(radam\.(RAdam|PlainRAdam|AdamW)|lr_scheduler\.(ConstantWarmupScheduler|LinearWarmupScheduler))"
    r"|torch\.(Size|device)"
)

# What the readers of zip files and pickles raise on a file that is cut off or was never a checkpoint.
_DAMAGE = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, NotImplementedError,
    AssertionError, MemoryError, zipfile.BadZipFile,
)  # fmt: skip


def state_dict(path: str | Path) -> dict[str, Tensor]:
    """Name -> tensor (float32, finite) of the learned module in a checkpoint, also one of several GPUs.

    Raises UserError if it is missing, damaged, of another kind, or holds anything that could run code.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"the checkpoint {path} does not exist; give a file such as prompt_learner/model.pth.tar-50.")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is truncated or no checkpoint of torch 1.6 or later; fetch it again or save it anew with torch.save.")
    try:
        with zipfile.ZipFile(path) as archive:
            return _tensors(_Unpickler(archive).load(), archive, path)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is no checkpoint of Dassl or holds other objects than tensors, which could run code ({_one_line(error)}); "
            "save its state_dict alone."
        ) from error
    except _DAMAGE as error:
        raise UserError(f"{path} is truncated or no checkpoint ({_one_line(error)}); fetch it again.") from error


def newest(folder: Path) -> Path:
    """The checkpoint that Dassl would load from a folder: the best, else that of the last epoch. Raises UserError."""
    if (best := folder / "model-best.pth.tar").is_file():
        return best
    epochs = {int(path.name.rsplit("-", 1)[1]): path for path in folder.glob("model.pth.tar-*") if path.name[15:].isdecimal()}
    if not epochs:
        raise UserError(f"{folder} holds no checkpoint; there should be a file such as model.pth.tar-50.")
    return epochs[max(epochs)]


@dataclass(frozen=True)
class _Stored:
    """A tensor that has not been read: where its values are."""

    key: str
    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self, archive: zipfile.ZipFile, root: str) -> Tensor:
        """Float32. Raises ValueError if the view is larger than what is stored, so that no file asks for endless memory."""
        member = archive.getinfo(f"{root}/data/{self.key}")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("compressed values")
        values = bytearray(archive.read(member))
        storage = torch.frombuffer(values, dtype=self.dtype) if values else torch.empty(0, dtype=self.dtype)
        if torch.Size(self.size).numel() > len(storage):
            raise ValueError("a tensor larger than its values")
        return storage.as_strided(self.size, self.stride, self.offset).float()


class _StandIn:
    """In place of an object that does not matter here: takes whatever it is given, keeps and does nothing."""

    def __new__(cls, *_: object, **__: object) -> _StandIn:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass

    def __setitem__(self, *_: object) -> None:
        pass

    def __hash__(self) -> int:
        return 0

    def append(self, _: object) -> None:
        pass

    def extend(self, _: object) -> None:
        pass

    def add(self, _: object) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.root = _root(archive)
        member = archive.getinfo(f"{self.root}/data.pkl")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("compressed values")
        super().__init__(io.BytesIO(archive.read(member)))

    def load(self) -> tuple[str, Any]:
        return self.root, super().load()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _stored
        if module == "torch._utils" and name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
            return _first
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if re.fullmatch(_KNOWN, f"{module}.{name}"):
            return _StandIn
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, identifier: tuple) -> tuple[torch.dtype, str]:
        _, dtype, key, _, _ = identifier
        if not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise pickle.UnpicklingError("an unknown kind of storage")
        return dtype, key


def _root(archive: zipfile.ZipFile) -> str:
    (root,) = (name.removesuffix("/data.pkl") for name in archive.namelist() if name.endswith("/data.pkl"))
    return root


def _stored(storage: tuple[torch.dtype, str], offset: int, size: tuple, stride: tuple, *_: object) -> _Stored:
    return _Stored(storage[1], storage[0], offset, tuple(size), tuple(stride))


def _first(value: object, *_: object) -> object:
    return value


def _tensors(loaded: tuple[str, Any], archive: zipfile.ZipFile, path: Path) -> dict[str, Tensor]:
    root, held = loaded
    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    named = isinstance(held, dict) and all(isinstance(key, str) for key in held)
    found = {key: value for key, value in held.items() if isinstance(value, _Stored)} if named else {}
    stored = {key.removeprefix("module."): value for key, value in found.items()}
    if not stored:
        raise UserError(f"{path} holds no state dict; give a file such as prompt_learner/model.pth.tar-50.")
    if any(key.startswith("prompt_learner.") for key in stored):  # MaPLe saves the whole model, CLIP included
        stored = {key.removeprefix("prompt_learner."): v for key, v in stored.items() if key.startswith("prompt_learner.")}
    tensors = {key: value.read(archive, root) for key, value in stored.items()}
    if wrong := next((key for key, value in tensors.items() if not value.isfinite().all()), None):
        raise UserError(f"{path} holds values in `{wrong}` that are no finite numbers; choose the checkpoint of another epoch.")
    return tensors


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
