"""What torch.save or torch.jit.save wrote, read without running anything in it: the one place where files are unpickled.

Both are zip files of raw values and of a pickle that says what they are. Tensors are made, of what such files are known to hold
besides them an empty stand-in, and any other object is refused before anything of it is imported. Files from before torch 1.6
are no zip files; torch's own restricted reader takes them.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from promptatlas.base.messages import one_line

_DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip

# What files of weights hold besides tensors: the classes of a TorchScript archive, its lists, the best score (a numpy number),
# and the live optimiser and schedule of Dassl.
_KNOWN = (
    r"__torch__\..+"
    r"|numpy(\.core|\._core)?\.multiarray\.(scalar|_reconstruct)"
    r"|numpy\.(dtype|ndarray|float64|float32|int64)|numpy\.dtypes\.\w+DType"
    r"|_codecs\.encode|collections\.(defaultdict|Counter)|(builtins|__builtin__)\.(dict|set|list|tuple|int|float)"
    r"|torch\.optim\.(sgd\.SGD|adam\.Adam|adamw\.AdamW|rmsprop\.RMSprop)"
    r"|torch\.optim\.lr_scheduler\.(CosineAnnealingLR|StepLR|MultiStepLR)"
    r"|dassl\.optim\.(radam\.(RAdam|PlainRAdam|AdamW)|lr_scheduler\.(ConstantWarmupScheduler|LinearWarmupScheduler))"
    r"|torch\.(Size|device|bool|b?float\d+|u?int\d+)|torch\.jit\._pickle\.build_\w+"
)

# What the readers of zip files and pickles raise on a file that is cut off or was never one of torch.
_DAMAGE = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, NotImplementedError,
    AssertionError, MemoryError, zipfile.BadZipFile,
)  # fmt: skip


class Refused(Exception):
    """The file is no pickle, or holds an object that is not known; says in one line what."""


class Damaged(Exception):
    """The file is cut off or was never one of torch; says in one line why."""


class StandIn:
    """In place of an object of which nothing is needed: takes whatever it is given, keeps its attributes, does nothing."""

    def __new__(cls, *_: object, **__: object) -> StandIn:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            vars(self).update(state)

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


def read(path: Path) -> Any:
    """What was saved, with tensors on the CPU, as published; of a TorchScript archive a dict by the names of its state dict.

    Raises Refused and Damaged.
    """
    try:
        if not zipfile.is_zipfile(path):
            return torch.load(path, map_location="cpu", weights_only=True)
        with zipfile.ZipFile(path) as archive:
            held = _Unpickler(archive).load()
        return dict(_attributes(held)) if isinstance(held, StandIn) else held
    except pickle.UnpicklingError as error:
        raise Refused(one_line(error)) from error
    except _DAMAGE as error:
        raise Damaged(one_line(error)) from error


def state_dict(held: Any) -> dict[str, Tensor]:
    """Name -> tensor of what was read: a state dict, alone or in a checkpoint of training, also of several GPUs. Empty if it is none."""
    if isinstance(held, dict) and isinstance(dict.get(held, "state_dict"), dict):  # not held.get, which a file may have overwritten
        held = held["state_dict"]
    if not isinstance(held, dict) or not all(isinstance(key, str) for key in held):
        return {}
    return {key.removeprefix("module."): value for key, value in dict.items(held) if isinstance(value, Tensor)}


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile) -> None:
        (self._root,) = (name.removesuffix("/data.pkl") for name in archive.namelist() if name.endswith("/data.pkl"))
        self._archive, self._values = archive, dict[str, bytearray]()
        super().__init__(io.BytesIO(self._member("data.pkl")))

    def find_class(self, module: str, name: str) -> Any:
        whole = f"{module}.{name}"
        if whole in _MADE:
            return _MADE[whole]
        if re.fullmatch(_KNOWN, whole):
            return StandIn
        raise pickle.UnpicklingError(whole)

    def persistent_load(self, identifier: tuple) -> Tensor:
        _, dtype, key, _, _ = identifier
        if not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise pickle.UnpicklingError("an unknown kind of storage")
        if key not in self._values:
            self._values[key] = bytearray(self._member(f"data/{key}"))
        values = self._values[key]
        return torch.frombuffer(values, dtype=dtype) if values else torch.empty(0, dtype=dtype)

    def _member(self, name: str) -> bytes:
        """torch compresses neither pickle nor values: whoever does asks for more memory than the file has bytes."""
        member = self._archive.getinfo(f"{self._root}/{name}")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("compressed values")
        return self._archive.read(member)


def _tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: object) -> Tensor:
    if torch.Size(size).numel() > len(storage):
        raise ValueError("a tensor larger than its values")
    return storage.as_strided(size, stride, offset)


def _first(value: object, *_: object) -> object:
    return value


_MADE: dict[str, Callable | torch.dtype] = {
    "collections.OrderedDict": OrderedDict, "torch._utils._rebuild_tensor_v2": _tensor, "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first, **{f"torch.{name}": dtype for name, dtype in _DTYPES.items()},
}  # fmt: skip


def _attributes(module: StandIn, prefix: str = "") -> list[tuple[str, Tensor]]:
    """The tensors of a module and of the modules in it, with their names."""
    found = []
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            found.append((prefix + name, value))
        elif isinstance(value, StandIn):
            found += _attributes(value, f"{prefix}{name}.")
    return found
