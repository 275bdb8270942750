"""Which device the work is done on and how much memory it took.

Who shares out a machine's GPUs says so in CUDA_VISIBLE_DEVICES (SLURM does). Where nobody does, jobs agree among themselves:
each locks the GPU that it works on and waits while all are taken. The system releases the lock when a job ends, however it ends.
"""

import fcntl
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch

from promptatlas.base.errors import UserError
from promptatlas.runs.variables import DETERMINISTIC

SECONDS = 1.0
_held: list[int] = []


def chosen(wanted: str, threads: int) -> str:
    """`wanted`, where `auto` is the GPU if there is one; on the CPU this process uses `threads` cores from here on.

    A GPU is this process's alone until it ends.
    """
    torch.set_num_threads(threads)
    # Fingerprints say the precision, on every device. A container's TORCH_ALLOW_TF32_CUBLAS_OVERRIDE says otherwise until it is said here.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    # Not use_deterministic_algorithms: for the same it imports torch's compiler first, as long as all of torch takes.
    torch.set_deterministic_debug_mode("error" if os.environ.get(DETERMINISTIC) else "default")
    if wanted == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        if not _held:
            torch.cuda.set_device(_claimed(_identities()))
        return "cuda"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted == "cuda":
        raise UserError(
            "device is `cuda` in the configuration, but no GPU can be used here "
            f"(CUDA_VISIBLE_DEVICES is {'not set' if visible is None else repr(visible)}); set it to `auto` or `cpu`"
        )
    if visible:
        print(f"CUDA_VISIBLE_DEVICES names GPU {visible}, but torch finds none; working on the CPU", file=sys.stderr)
    return "cpu"


def _identities() -> list[str]:
    """What tells the visible GPUs of this machine apart in every process: their numbers do not, they start from 0 in each job."""
    return [str(torch.cuda.get_device_properties(number).uuid) for number in range(torch.cuda.device_count())]


def _claimed(identities: list[str]) -> int:
    """The number of a GPU that no other process has locked; waits for one and says so."""
    told = False
    while True:
        for number, identity in enumerate(identities):
            lock = _locked(Path(tempfile.gettempdir()) / f"promptatlas-gpu-{identity}.lock")
            if lock is not None:
                _held.append(lock)
                return number
        if not told:
            told = True
            print(
                f"promptatlas: other jobs work on {'the GPU' if len(identities) == 1 else f'all {len(identities)} GPUs'} of this "
                f"machine; waiting for one (snakemake --resources gpu={len(identities)} starts no more jobs than that)",
                file=sys.stderr,
            )
        time.sleep(SECONDS)


def _locked(path: Path) -> int | None:
    """The open file at `path`, locked; None if another process has locked it. It may be another user's: reading is enough."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        file = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        os.fchmod(file, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def peak_mib(device: str) -> float:
    """Most memory this process has held so far, in MiB: on the GPU if that is where it works."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
