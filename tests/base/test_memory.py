"""A GPU without memory says so in many ways; nothing else is taken for it."""

import pytest
import torch

from promptatlas.base.errors import UserError
from promptatlas.base.memory import runs_out, told
from promptatlas.runs.attempts import each

ALLOCATOR = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
FULL = [
    ALLOCATOR,
    torch.OutOfMemoryError(),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    RuntimeError("CUDA driver error: out of memory"),
    RuntimeError("HIP out of memory. Tried to allocate 2 GiB"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`"),
]
OTHERS = [
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    torch.AcceleratorError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
    MemoryError(),
    UserError("evaluation runs out of GPU memory with one prompt and one image"),
    ValueError("CUDA out of memory"),
    OSError(12, "Cannot allocate memory"),
]  # fmt: skip


@pytest.mark.parametrize("error", FULL, ids=str)
def test_every_library_without_gpu_memory_is_understood(error):
    def compute(items):
        if len(items) > 1:
            raise error
        return items

    assert runs_out(error)
    assert each(compute, [1, 2, 3]).sound == {1: 1, 2: 2, 3: 3}, "a GPU without memory is no broken one"
    with pytest.raises(UserError, match=r"^too much$"), told("too much"):
        raise error


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_nothing_else_is_taken_for_it(error):
    assert not runs_out(error)
    with pytest.raises(type(error)), told("too much"):
        raise error
