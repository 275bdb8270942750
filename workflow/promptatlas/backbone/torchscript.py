"""The tensors of a TorchScript archive, the form in which OpenAI published CLIP, without running anything in it.

`torch.jit.load` would compile and run the archive's code. Its data are a pickle of modules whose attributes are
tensors, numbers and further modules: those are rebuilt here as bare holders of attributes, and any other object is
refused. Knows nothing of what the tensors are for.
"""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip


def is_archive(path: Path) -> bool:
    """Whether a file is a TorchScript archive; only those have a record of constants."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def tensors(path: Path) -> dict[str, Tensor]:
    """State-dict name -> tensor. Raises pickle.UnpicklingError if the archive holds other objects, and whatever the
    readers of zip files, pickles and tensors raise if it is damaged."""
    with zipfile.ZipFile(path) as archive:
        (root,) = (name.removesuffix("/data.pkl") for name in archive.namelist() if name.endswith("/data.pkl"))
        module = _Unpickler(archive, root).load()
    found: dict[str, Tensor] = {}
    _collect(module, "", found)
    return found


class _Module:
    """Stands in for any module class of the archive: attributes, no behaviour."""


def _collect(module: Any, prefix: str, found: dict[str, Tensor]) -> None:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            found[prefix + name] = value
        elif isinstance(value, _Module):
            _collect(value, f"{prefix}{name}.", found)


class _Unpickler(pickle.Unpickler):
    """Rebuilds modules and tensors; every other global name is refused before anything of it is imported."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}/data.pkl")))
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if module == "torch.jit._pickle" and name.startswith("build_"):
            return list
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, identifier: tuple) -> Tensor:
        _, dtype, key, _, _ = identifier
        data = self._archive.read(f"{self._root}/data/{key}")
        return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: object) -> Tensor:
    return storage.as_strided(size, stride, offset).clone()
